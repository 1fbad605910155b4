package transfer

import (
	"errors"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// enter has the rules look for merge files in a folder that is about to be
// listed. open is false if one of them could not be read: what it hides must
// not be sent, so the folder's files are left out and the run ends partial. A
// file that is not understood ends the run (exclude.c:parse_filter_file).
func (w *walker) enter(dir string) (open bool, err error) {
	if w.rules == nil {
		return true, nil
	}
	return w.entered(dir, w.rules.Enter(&w.sources[w.from], dir))
}

// search is enter for a folder of the receiving side: without its rules
// nothing in it is deleted.
func (g *generator) search(dir string) (open bool, err error) {
	if g.rules == nil {
		return true, nil
	}
	return g.entered(dir, g.rules.Search(dir))
}

func (c *common) entered(dir string, err error) (open bool, _ error) {
	var unread *filter.ReadError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &unread):
		c.failFile("%q is passed over: %v", dir, err)
		return false, nil
	}
	return false, proto.Fail(proto.ExitSyntax, err)
}
