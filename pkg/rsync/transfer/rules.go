package transfer

import (
	"path"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// Rules say which files a side leaves alone. Paths are relative to the
// transfer's root. They are used by several goroutines at once.
type Rules interface {
	// Enter tells that the sending side is about to ask about what is in a
	// folder of a source. Folders come in an order in which each is followed
	// by what is below it. After an error everything in the folder is hidden;
	// a [filter.ReadError] concerns this folder alone.
	Enter(s *Source, dir string) error
	// Hidden reports whether the sending side leaves a file of a source out.
	Hidden(s *Source, path string, isDir bool) bool
	// Start tells the transfer's root on the receiving side, before anything
	// below is asked about.
	Start(root *rootfs.Root)
	// Search is Enter for the receiving side, which looks for what to delete.
	// After an error everything in the folder is protected.
	Search(dir string) error
	// Protected reports whether the receiving side must not delete a file;
	// doomed is set when the folder that it is in goes.
	Protected(path string, isDir, doomed bool) bool
	// Refused reports whether the receiving side must not take a file.
	Refused(path string, isDir bool) bool
}

// Explainer is implemented by Rules that can tell why they decide, in rsync's
// words and for a path that they were just asked about; "" where they have
// nothing to say. // exclude.c:report_filter_result
type Explainer interface {
	WhyHidden(s *Source, path string, isDir bool) string
	WhyProtected(path string, isDir, doomed bool) string
}

// Locate says where a root is in the terms of rules with absolute paths, and
// how the merge files are read that they name in these terms; prefix is where
// root lies below what the rules start from (see [Source]).
type Locate func(root *rootfs.Root, prefix string) (base string, read filter.ReadFile)

// ClientRules are the rules that a client gives on its command line, with the
// merge files that they look for in every folder.
type ClientRules struct {
	rules  *filter.Rules
	locate Locate
	prefix string // of the receiving side's root

	mu    sync.Mutex
	walks map[*rootfs.Root]*filter.Walk // of the sending side
	there *filter.Walk                  // of the receiving side
	plain *filter.Walk                  // where nothing depends on folders
}

// NewClientRules prepares rules for one transfer. prefix is that of the
// receiving side's root.
func NewClientRules(rules *filter.Rules, locate Locate, prefix string) *ClientRules {
	r := &ClientRules{rules: rules, locate: locate, prefix: prefix, walks: map[*rootfs.Root]*filter.Walk{}}
	r.there = filter.NewWalk(rules.Scope("/", nil)) // until the root is known
	if !rules.HasPaths() {
		r.plain = r.there
	}
	return r
}

// from returns the walk through a source.
func (r *ClientRules) from(s *Source) *filter.Walk {
	if r.plain != nil {
		return r.plain
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.walks[s.Root]
	if w == nil {
		w = filter.NewWalk(r.rules.Scope(r.locate(s.Root, s.Prefix)))
		r.walks[s.Root] = w
	}
	return w
}

// Enter implements [Rules].
func (r *ClientRules) Enter(s *Source, dir string) error { return r.from(s).Enter(dir) }

// Hidden implements [Rules].
func (r *ClientRules) Hidden(s *Source, path string, isDir bool) bool {
	return path != "." && r.from(s).For(path).Check(path, isDir, filter.Sender) == filter.Exclude
}

// WhyHidden implements [Explainer].
func (r *ClientRules) WhyHidden(s *Source, path string, isDir bool) string {
	if path == "." {
		return ""
	}
	why := r.from(s).For(path).Why(path, isDir, filter.Sender, false)
	return because("[sender] showing", "[sender] hiding", path, isDir, why)
}

// WhyProtected implements [Explainer].
func (r *ClientRules) WhyProtected(path string, isDir, doomed bool) string {
	why := r.there.For(path).Why(path, isDir, filter.Receiver, doomed)
	return because("[generator] risking", "[generator] protecting", path, isDir, why)
}

// because tells of a rule's decision, if there is one.
func because(included, excluded, path string, isDir bool, why filter.Reason) string {
	what, kind := included, "file"
	switch why.Verdict {
	case filter.None:
		return ""
	case filter.Exclude:
		what = excluded
	}
	if isDir {
		kind = "directory"
	}
	return what + " " + kind + " " + path + " because of pattern " + why.Pattern + why.From
}

// Start implements [Rules].
func (r *ClientRules) Start(root *rootfs.Root) {
	if r.plain == nil {
		r.there = filter.NewWalk(r.rules.Scope(r.locate(root, r.prefix)))
	}
}

// Search implements [Rules].
func (r *ClientRules) Search(dir string) error { return r.there.Enter(dir) }

// Protected implements [Rules]. A folder that goes has its merge files read
// here: nobody else looks into it.
func (r *ClientRules) Protected(name string, isDir, doomed bool) bool {
	w := r.there
	if !doomed {
		return w.For(name).Check(name, isDir, filter.Receiver) == filter.Exclude
	}
	if w.Descend(path.Dir(name)) != nil {
		return true
	}
	return w.For(name).CheckDoomed(name, isDir) == filter.Exclude
}

// Refused implements [Rules]: a client's own rules do not bind what it asked
// for.
func (r *ClientRules) Refused(string, bool) bool { return false }

// Below returns a file's path relative to a folder that it is below; both are
// absolute and clean.
func Below(folder, name string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, strings.TrimSuffix(folder, "/")+"/")
	return rest, ok && rest != ""
}
