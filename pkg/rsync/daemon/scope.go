package daemon

import (
	"path"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// moduleScope joins the module's rules with the client's. The module's are
// about paths below the module, the client's below the transfer's root.
type moduleScope struct {
	daemon *filter.Scope // nil: none
	walks  *moduleWalks  // nil: the module looks for no merge files
	client *transfer.ClientRules
	side   filter.Side // the daemon's
	prefix string      // a receiving transfer's root below the module
	// readable, if not nil, is asked whether a file that is not read yet can be.
	readable func(root *rootfs.Root, p string) bool
}

// moduleWalks are the ways through a module on which the merge files are read
// that its "filter" has looked for in each folder. As in C rsync's daemon they
// hold below what a client asks for, and for what a client has deleted; no push
// is refused by them (exclude.c:push_local_filters).
type moduleWalks struct {
	top   *filter.Scope
	there *filter.Walk // of a receiving side

	mu    sync.Mutex
	walks map[*rootfs.Root]*filter.Walk // of the sources
}

// newModuleWalks begins them. Merge files are the module's own, whether or not
// clients may see them; no link leads to one outside.
func newModuleWalks(rules *filter.Rules, module *rootfs.Root) *moduleWalks {
	top := rules.Scope("/", func(name string) ([]byte, error) { return module.ReadSmall(name[1:], maxMergeFile) })
	return &moduleWalks{top: top, there: filter.NewWalk(top), walks: map[*rootfs.Root]*filter.Walk{}}
}

// from returns the way through a source.
func (m *moduleWalks) from(root *rootfs.Root) *filter.Walk {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.walks[root]
	if w == nil {
		w = filter.NewWalk(m.top)
		m.walks[root] = w
	}
	return w
}

// newModuleScope prepares the rules of a module, and of the session's client,
// for one transfer.
func newModuleScope(rules *filter.Rules, module *rootfs.Root) moduleScope {
	var s moduleScope
	if rules == nil {
		return s
	}
	s.daemon = rules.Scope("/", nil)
	if rules.HasDirMerge() {
		s.walks = newModuleWalks(rules, module)
	}
	return s
}

// closed reports whether the module's rules keep clients from a path, or from
// a folder above it: a peer need not name the folders that it goes through.
func (s moduleScope) closed(p string, isDir bool) bool {
	return s.closedAbove(p) || s.daemon != nil && p != "." && p != "" && s.daemon.Check(p, isDir, s.side) == filter.Exclude
}

func (s moduleScope) closedAbove(p string) bool {
	if s.daemon == nil {
		return false
	}
	for i := range len(p) {
		if p[i] == '/' && s.daemon.Check(p[:i], true, s.side) == filter.Exclude {
			return true
		}
	}
	return false
}

// Hidden implements transfer.Rules. The folders above are not looked at: the
// sending side has come through them.
func (s moduleScope) Hidden(from *transfer.Source, p string, isDir bool) bool {
	if p == "." {
		return false
	}
	return s.withheld(from, p, isDir) || s.client.Hidden(from, p, isDir) || s.unreadable(from, p)
}

// withheld reports whether the module's own rules hide a file.
func (s moduleScope) withheld(from *transfer.Source, p string, isDir bool) bool {
	if s.daemon == nil {
		return false
	}
	full := path.Join(from.Prefix, p)
	return s.on(from, full).Check(full, isDir, s.side) == filter.Exclude
}

func (s moduleScope) unreadable(from *transfer.Source, p string) bool {
	return s.readable != nil && from.Root != nil && !s.readable(from.Root, p)
}

// WhyHidden implements transfer.Explainer. What the module's rules hide goes
// without a word.
func (s moduleScope) WhyHidden(from *transfer.Source, p string, isDir bool) string {
	if p == "." || s.withheld(from, p, isDir) || s.unreadable(from, p) {
		return ""
	}
	return s.client.WhyHidden(from, p, isDir)
}

// WhyProtected implements transfer.Explainer.
func (s moduleScope) WhyProtected(p string, isDir, doomed bool) string {
	if s.kept(path.Join(s.prefix, p), isDir, doomed) {
		return ""
	}
	return s.client.WhyProtected(p, isDir, doomed)
}

// on returns the module's rules as they hold for a path on the way through a source.
func (s moduleScope) on(from *transfer.Source, full string) *filter.Scope {
	if s.walks == nil {
		return s.daemon
	}
	return s.walks.from(from.Root).For(full)
}

// Enter implements transfer.Rules.
func (s moduleScope) Enter(from *transfer.Source, dir string) error {
	if s.walks != nil {
		if err := s.walks.from(from.Root).Enter(path.Join(from.Prefix, dir)); err != nil {
			return err
		}
	}
	return s.client.Enter(from, dir)
}

// Start implements transfer.Rules.
func (s moduleScope) Start(root *rootfs.Root) { s.client.Start(root) }

// Search implements transfer.Rules.
func (s moduleScope) Search(dir string) error {
	if s.walks != nil {
		if err := s.walks.there.Enter(path.Join(s.prefix, dir)); err != nil {
			return err
		}
	}
	return s.client.Search(dir)
}

// Protected implements transfer.Rules.
func (s moduleScope) Protected(p string, isDir, doomed bool) bool {
	return s.kept(path.Join(s.prefix, p), isDir, doomed) || s.client.Protected(p, isDir, doomed)
}

// kept reports whether the module's rules keep a file from being deleted.
func (s moduleScope) kept(full string, isDir, doomed bool) bool {
	if s.walks == nil {
		return s.closed(full, isDir)
	}
	w := s.walks.there
	if doomed && w.Descend(path.Dir(full)) != nil {
		return true
	}
	return s.closedAbove(full) || w.For(full).Check(full, isDir, s.side) == filter.Exclude
}

// Refused implements transfer.Rules.
func (s moduleScope) Refused(p string, isDir bool) bool {
	return s.closed(path.Join(s.prefix, p), isDir)
}

// Xattr implements transfer.XattrRules: attributes are the client's affair.
func (s moduleScope) Xattr(name string, side filter.Side) (out, decided bool) {
	return s.client.Xattr(name, side)
}
