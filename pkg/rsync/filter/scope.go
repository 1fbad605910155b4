package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ReadFile returns the text of a per-directory merge file. The name is an
// absolute clean path in the terms of the root given to [Rules.Scope]; where a
// rule asks for the directories above the transfer (as -F does) it may lie
// above that root, and whoever implements it decides what may be read. An error
// that is fs.ErrNotExist means that there is no such file. It must bound the
// length of what it returns and may be called from several goroutines.
type ReadFile func(name string) ([]byte, error)

// ReadError is why a per-directory merge file could not be read.
type ReadError struct {
	Name string // as given to the ReadFile
	Err  error
}

func (e *ReadError) Error() string { return fmt.Sprintf("read merge file %s: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// Scope is a list of rules as it holds in one directory of a transfer. It never
// changes and may be used from several goroutines.
type Scope struct {
	options *Options
	rules   []*rule
	merges  []merging
	root    string // absolute path of the transfer root, "" for "/"
	read    ReadFile
	shut    bool // a merge file could not be had: everything is excluded
}

// merging is a dir-merge rule in a scope: the rules from its files, those of
// the nearest directory first.
type merging struct {
	from  *rule
	rules []*rule
	begun bool // the directories above the transfer were looked at
}

// Scope returns the rules as they hold before any directory was entered. root
// is the absolute path of the transfer root, for a daemon within the module:
// rules with the modifier "/" and merge files are found by it. read may be nil
// where HasDirMerge is false.
func (r *Rules) Scope(root string, read ReadFile) *Scope {
	s := &Scope{options: &r.options, rules: r.list, read: read}
	if root = path.Clean("/" + root); root != "/" {
		s.root = root
	}
	for _, rule := range r.list {
		if rule.flags&dirMerge != 0 {
			s.merges = append(s.merges, merging{from: rule})
		}
	}
	return s
}

// HasDirMerge reports whether a rule asks for per-directory merge files.
func (r *Rules) HasDirMerge() bool {
	return slices.ContainsFunc(r.list, func(x *rule) bool { return x.flags&dirMerge != 0 })
}

// HasPaths reports whether the rules depend on where the transfer's root is:
// there are per-directory merge files, or a rule has the modifier "/".
func (r *Rules) HasPaths() bool {
	return slices.ContainsFunc(r.list, func(x *rule) bool { return x.flags&(dirMerge|absPath) != 0 })
}

// Enter returns the rules that hold in dir, a directory of the transfer named
// relative to its root ("." or "" for the root), when s is the scope of its
// parent; for the root s is what [Rules.Scope] returned. Without dir-merge
// rules this is s itself and costs nothing.
//
// An error says that a merge file could not be read (then it is a [ReadError])
// or understood. To go on without the rules in it could send or delete what
// they protect. // exclude.c:push_local_filters
func (s *Scope) Enter(dir string) (*Scope, error) {
	if len(s.merges) == 0 || s.shut {
		return s, nil
	}
	if s.read == nil {
		return nil, errors.New("per-directory merge rules are not possible here")
	}
	in := *s
	in.merges = slices.Clone(s.merges)
	here := strings.TrimSuffix(path.Clean(s.root+"/"+dir), "/")
	// A file may bring in further merge rules, which are read here, too.
	for i := 0; i < len(in.merges); i++ {
		if !in.merges[i].begun {
			in.merges[i].begun = true
			if err := in.readAbove(i, here); err != nil {
				return nil, err
			}
		}
		if err := in.readIn(i, here); err != nil {
			return nil, err
		}
	}
	return &in, nil
}

// readAbove reads the files of merge i in the directories above here, beginning
// with the one in the rule's name, if it has one and that is above here.
// // exclude.c:setup_merge_file
func (s *Scope) readAbove(i int, here string) error {
	name := s.merges[i].from.pattern
	if !strings.Contains(name, "/") {
		return nil
	}
	if !strings.HasPrefix(name, "/") {
		name = here + "/" + name
	}
	dir := strings.TrimSuffix(path.Dir(path.Clean(name)), "/")
	for {
		rest, above := strings.CutPrefix(here, dir+"/")
		if !above {
			return nil
		}
		if err := s.readIn(i, dir); err != nil {
			return err
		}
		component, _, _ := strings.Cut(rest, "/")
		dir += "/" + component
	}
}

// readIn reads the file of merge i in the absolute directory dir ("" for "/")
// and puts its rules before the inherited ones.
func (s *Scope) readIn(i int, dir string) error {
	m := &s.merges[i]
	if m.from.flags&noInherit != 0 {
		m.rules = nil
	}
	name := dir + "/" + m.from.mergeName()
	text, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &ReadError{name, err}
	}
	b := &builder{options: s.options, dir: dir, perDir: true, hush: true, hushName: name}
	b.taken = func(name string) bool {
		return slices.ContainsFunc(s.merges, func(m merging) bool { return m.from.mergeName() == name })
	}
	b.read = func(name string) ([]byte, error) {
		switch {
		case strings.HasPrefix(name, "/"):
			return s.read(path.Clean(name))
		case strings.Contains(name, "/"):
			return s.read(path.Clean(dir + "/" + name))
		}
		return s.read(s.root + "/" + name) // exclude.c:parse_merge_name
	}
	if err := b.file(name, text, style{flags: m.from.flags}); err != nil {
		return err
	}
	if !b.cleared {
		b.rules = append(b.rules, m.rules...)
	}
	m.rules = b.rules
	for _, r := range b.rules {
		if r.flags&dirMerge != 0 && !b.taken(r.mergeName()) {
			if len(s.merges) >= maxDirMerges {
				return fmt.Errorf("%s: there are more than %d per-directory merge files", name, maxDirMerges)
			}
			s.merges = append(s.merges, merging{from: r})
		}
	}
	return nil
}

// Check decides about name, a path relative to the transfer root with slashes
// between, none in front and none behind.
func (s *Scope) Check(name string, isDir bool, side Side) Verdict {
	return s.check(s.rules, &query{name: name, root: s.root, isDir: isDir, side: side})
}

// CheckDoomed is Check for the receiver about a name in a directory that is
// being deleted, where perishable rules protect nothing.
// // delete.c:delete_dir_contents
func (s *Scope) CheckDoomed(name string, isDir bool) Verdict {
	return s.check(s.rules, &query{name: name, root: s.root, isDir: isDir, side: Receiver, doomed: true})
}

// CheckXattr decides about the name of an extended attribute, for which only
// rules with the modifier "x" count.
func (s *Scope) CheckXattr(name string, side Side) Verdict {
	return s.check(s.rules, &query{name: name, root: s.root, side: side, xattr: true})
}

// check goes through list and what it stands for.
func (s *Scope) check(list []*rule, q *query) Verdict {
	if s.shut {
		return Exclude
	}
	if r, _ := s.find(list, q); r != nil {
		return r.verdict()
	}
	return None
}

// find returns the first rule that applies, and the one that it stands in the
// place of, if that is another. // exclude.c:check_filter
func (s *Scope) find(list []*rule, q *query) (hit, from *rule) {
	for _, r := range list {
		if q.doomed && r.flags&perishable != 0 || !r.concerns(q.side) {
			continue
		}
		switch {
		case r.flags&dirMerge != 0:
			hit, _ = s.find(s.merged(r), q)
		case r.flags&cvs != 0:
			hit, _ = s.find(r.cvsList, q)
		case r.matches(q):
			return r, nil
		}
		if hit != nil {
			return hit, r
		}
	}
	return nil, nil
}

// Reason is the rule that decides about a name.
type Reason struct {
	Verdict Verdict
	// Pattern is as it was written. Of a rule from a folder's file it is not told:
	// that may be a file which whoever hears of it should not see.
	Pattern string
	// From says in brackets whose rule it is, "" for one of the list.
	From string
}

// Why is Check and, where doomed is set, CheckDoomed with the reason. Its verdict
// is [None] where no rule decides. // exclude.c:report_filter_result
func (s *Scope) Why(name string, isDir bool, side Side, doomed bool) Reason {
	hit, from := s.find(s.rules, &query{name: name, root: s.root, isDir: isDir, side: side, doomed: doomed})
	if s.shut || hit == nil {
		return Reason{}
	}
	why := Reason{Verdict: hit.verdict(), Pattern: hit.pattern}
	if hit.flags&dirOnly != 0 {
		why.Pattern += "/"
	}
	switch {
	case from == nil:
	case from.flags&dirMerge != 0:
		why.Pattern, why.From = "<rule from a file read earlier>", " [per-dir "+from.mergeName()+"]"
	default:
		why.From = " [global CVS]"
	}
	return why
}

// merged is what the dir-merge rule r stands for in this scope.
func (s *Scope) merged(r *rule) []*rule {
	for i := range s.merges {
		if s.merges[i].from == r {
			return s.merges[i].rules
		}
	}
	return nil
}
