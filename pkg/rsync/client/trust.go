package client

import (
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// asked is what a client has asked a server to send. A server that sends
// anything else could put files where nobody expects them
// (exclude.c:add_implied_include).
type asked struct {
	all      bool            // everything below the root
	names    map[string]bool // asked for as they are
	patterns [][]string      // names with wildcards, by component
	onTheWay map[string]bool // folders that lead to names
	recurse  bool
	folders  bool // folders are part of it
	relative bool
}

func newAsked(opt *options.Options, places []Remote, names []string) *asked {
	a := &asked{
		names: map[string]bool{}, onTheWay: map[string]bool{},
		recurse: opt.Recurse, folders: opt.TransferDirs(), relative: opt.Relative,
	}
	for _, n := range names {
		a.add(n)
	}
	if opt.FilesFrom == "" {
		for _, p := range places {
			a.add(p.Path)
		}
	}
	return a
}

// add adds what an argument or a line of --files-from asks for.
func (a *asked) add(arg string) {
	trailing := arg == "" || strings.HasSuffix(arg, "/")
	if i := strings.Index(arg, "/./"); i >= 0 && a.relative {
		arg = arg[i+3:]
	}
	name := path.Clean("/" + arg)[1:]
	if !a.relative {
		base := path.Base(arg)
		if trailing || base == "." || base == ".." {
			name = ""
		}
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	home := strings.HasPrefix(arg, "~") && !strings.Contains(arg, "/") // whatever the shell makes of it
	if name == "" || home {
		a.all = true
		return
	}
	parts := strings.Split(name, "/")
	if strings.ContainsAny(name, `*?[\`) {
		a.patterns = append(a.patterns, parts)
	}
	a.names[name] = true
	for i := 1; i < len(parts) && a.relative; i++ {
		a.onTheWay[strings.Join(parts[:i], "/")] = true
	}
}

// has reports whether a name that a server sends was asked for.
func (a *asked) has(name string, isDir bool) bool {
	if a.all && (a.recurse || !strings.Contains(name, "/")) {
		return true
	}
	if a.names[name] || isDir && a.onTheWay[name] {
		return true
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '/' && a.names[name[:i]] && a.reaches(name[i+1:]) {
			return true
		}
	}
	parts := strings.Split(name, "/")
	for _, p := range a.patterns {
		n := min(len(p), len(parts))
		if !fits(p[:n], parts[:n]) {
			continue
		}
		if len(parts) == n && (len(p) == n || isDir && a.relative) || len(parts) > n && a.reaches(strings.Join(parts[n:], "/")) {
			return true
		}
	}
	return false
}

// reaches reports whether what is so far below a name comes with it.
func (a *asked) reaches(rest string) bool {
	return a.recurse || a.folders && !strings.Contains(rest, "/")
}

// fits holds names against patterns, one by one. What fits no pattern may be
// one of that very name.
func fits(patterns, names []string) bool {
	for i, p := range patterns {
		ok, err := path.Match(strings.ReplaceAll(p, "[!", "[^"), names[i])
		if (err != nil || !ok) && p != names[i] {
			return false
		}
	}
	return true
}

// distrust returns what looks at each entry that a server sends: it must have
// been asked for, and what the rules exclude must not come (flist.c:
// recv_file_entry). Where merge files on the server's side have a say, only the
// server knows what is excluded.
func (c *Client) distrust(places []Remote, names []string, rules *filter.Rules) func(*filelist.Entry) error {
	o := c.Options
	if o.TrustSender || o.FilesFromRemote || o.OldArgs > 0 {
		return nil
	}
	a := newAsked(o, places, names)
	if a.all && a.recurse && rules.Len() == 0 {
		return nil // whatever comes was asked for
	}
	const onTheWay = filelist.MarkTopDir | filelist.MarkNoContent
	var scope *filter.Scope
	if !rules.HasPaths() {
		scope = rules.Scope("/", nil)
	}
	return func(e *filelist.Entry) error {
		name := e.Path()
		switch {
		case name == ".":
		case scope != nil && !(a.relative && e.IsDir() && (e.Mark&onTheWay == onTheWay || a.onTheWay[name])) &&
			scope.Check(name, e.IsDir(), filter.Sender) == filter.Exclude:
			return proto.Failf(proto.ExitUnsupported, "ERROR: rejecting excluded file-list name: %s", name)
		case !a.has(name, e.IsDir()):
			return proto.Failf(proto.ExitUnsupported, "ERROR: rejecting unrequested file-list name: %s", name)
		}
		return nil
	}
}
