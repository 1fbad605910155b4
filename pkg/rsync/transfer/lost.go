package transfer

import (
	"errors"
	"path"
)

// lose gives up a folder that cannot be made, and all that is to go into it; err
// says why, nil if that has been told (generator.c:recv_generator).
func (g *generator) lose(p string, err error) error {
	var one *localError
	if err != nil && !errors.As(err, &one) {
		return err
	}
	if one != nil {
		g.failFile("%s", one)
	}
	g.failFile("*** Skipping any contents from this failed directory ***")
	if g.lost == nil {
		g.lost = map[string]struct{}{}
	}
	g.lost[p] = struct{}{}
	return nil
}

// isLost reports whether p was to go into a folder that could not be made.
func (g *generator) isLost(p string) bool {
	if len(g.lost) == 0 {
		return false
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if _, ok := g.lost[dir]; ok {
			return true
		}
	}
	return false
}
