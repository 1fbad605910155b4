package filter

import (
	"path"
	"strings"
	"sync"
)

// Walk is a list of rules on the way through one tree: it keeps the scopes of
// the folders that lead to where the walk is, and no others. A folder must be
// entered before what is in it is asked about, and folders in an order in which
// each is followed by what is below it. A walk may be used from several
// goroutines. // exclude.c:change_local_filter_dir
type Walk struct {
	top *Scope

	mu  sync.Mutex
	way []entered // outermost first
}

// entered is a folder on the way.
type entered struct {
	dir   string // relative to the tree's root, "" for the root
	scope *Scope
}

// NewWalk begins a walk with the scope that [Rules.Scope] has returned.
func NewWalk(top *Scope) *Walk { return &Walk{top: top} }

// Enter goes to a folder, named relative to the root ("." or "" for the root),
// and reads its merge files. Folders above count only if they were entered,
// too. After an error everything in the folder is excluded.
func (w *Walk) Enter(dir string) error {
	if len(w.top.merges) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.enter(relative(dir))
}

// Descend is Enter for a folder whose folders above may not have been entered:
// those below the nearest one that was are entered first.
func (w *Walk) Descend(dir string) error {
	if len(w.top.merges) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	dir = relative(dir)
	w.leave(dir)
	at := ""
	if n := len(w.way); n > 0 {
		at = w.way[n-1].dir
	} else if err := w.enter(""); err != nil {
		return err
	}
	for at != dir {
		rest := strings.TrimPrefix(dir[len(at):], "/")
		name, _, _ := strings.Cut(rest, "/")
		at = strings.TrimPrefix(at+"/"+name, "/")
		if err := w.enter(at); err != nil {
			return err
		}
	}
	return nil
}

func (w *Walk) enter(dir string) error {
	w.leave(dir)
	if n := len(w.way); n > 0 && w.way[n-1].dir == dir {
		w.way = w.way[:n-1]
	}
	above := w.top
	if n := len(w.way); n > 0 {
		above = w.way[n-1].scope
	}
	scope, err := above.Enter(dir)
	if err != nil {
		scope = &Scope{shut: true}
	}
	w.way = append(w.way, entered{dir, scope})
	return err
}

// leave goes back to the nearest folder that is dir or above it.
func (w *Walk) leave(dir string) {
	for n := len(w.way); n > 0 && !covers(w.way[n-1].dir, dir); n-- {
		w.way = w.way[:n-1]
	}
}

// For returns the rules that hold for name, a path below the root: those of the
// innermost folder around it that was entered.
func (w *Walk) For(name string) *Scope {
	if len(w.top.merges) == 0 {
		return w.top
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	dir := relative(path.Dir(name))
	for i := len(w.way) - 1; i >= 0; i-- {
		if covers(w.way[i].dir, dir) {
			return w.way[i].scope
		}
	}
	return w.top
}

// covers reports whether dir is above or the same.
func covers(above, dir string) bool {
	return above == "" || strings.HasPrefix(dir, above) && (len(dir) == len(above) || dir[len(above)] == '/')
}

func relative(dir string) string {
	if dir == "." {
		return ""
	}
	return dir
}
