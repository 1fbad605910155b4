package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// maxMergeFile bounds a merge file that a module's "filter" names, in bytes.
const maxMergeFile = 1 << 20

// paramRule stands for the text of the parameter "filter": C rsync reads it as
// it reads a merge file whose rules are divided by white space (modifier w).
const (
	paramName = "filter"
	paramRule = ".w " + paramName
)

// moduleRules reads a module's own rules: filter, include from, include,
// exclude from, exclude, in this order of priority (clientserver.c:rsync_module). nil means that there are
// none. Merge files in "filter" are the administrator's own and named by
// absolute paths; they are read now, by this process.
func moduleRules(m *conf.Module) (*filter.Scope, error) {
	rules := filter.New(filter.Options{ReadMerge: func(name string) ([]byte, error) {
		switch {
		case name == paramName:
			return []byte(m.Filter), nil
		case !strings.HasPrefix(name, "/"):
			return nil, errors.New("name a merge file by its absolute path")
		}
		return readMergeFile(name)
	}})
	if strings.TrimSpace(m.Filter) != "" {
		if err := rules.Add(paramRule); err != nil {
			return nil, fmt.Errorf(`parameter "filter": %w`, err)
		}
	}
	if rules.HasDirMerge() {
		return nil, errors.New(`parameter "filter": per-directory merge rules (:) are not supported yet; put their rules into "filter"`)
	}
	for _, part := range []struct {
		name, text, file string
		add              func(string) error
		addFile          func(string, []byte) error
	}{
		{"include", m.Include, m.IncludeFrom, rules.AddInclude, rules.AddIncludeFile},
		{"exclude", m.Exclude, m.ExcludeFrom, rules.AddExclude, rules.AddExcludeFile},
	} {
		if part.file != "" {
			text, err := readMergeFile(part.file)
			if err == nil {
				err = part.addFile(part.file, text)
			}
			if err != nil {
				return nil, fmt.Errorf("parameter \"%s from\": %w", part.name, err)
			}
		}
		for _, word := range words(part.text) {
			if err := part.add(word); err != nil {
				return nil, fmt.Errorf("parameter %q: %w", part.name, err)
			}
		}
	}
	if rules.Len() == 0 {
		return nil, nil
	}
	return rules.Scope("/", nil), nil
}

func readMergeFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMergeFile+1))
	if err == nil && len(text) > maxMergeFile {
		err = fmt.Errorf("larger than %d bytes", maxMergeFile)
	}
	return text, err
}

// words splits a list of patterns at white space, keeping the prefixes "- "
// and "+ " with what follows them (exclude.c:parse_rule_tok).
func words(text string) []string {
	fields := strings.Fields(text)
	var list []string
	for i := 0; i < len(fields); i++ {
		w := fields[i]
		if (w == "-" || w == "+") && i+1 < len(fields) {
			i++
			w += " " + fields[i]
		}
		list = append(list, w)
	}
	return list
}

// moduleScope joins the module's rules with the client's. The module's are
// about paths below the module, the client's below the transfer's root.
type moduleScope struct {
	daemon *filter.Scope // nil: none
	client *transfer.ClientRules
	side   filter.Side // the daemon's
	prefix string      // a receiving transfer's root below the module
	// readable, if not nil, is asked whether a file that is not read yet can be.
	readable func(root *rootfs.Root, p string) bool
}

// closed reports whether the module's rules keep clients from a path, or from
// a folder above it: a peer need not name the folders that it goes through.
func (s moduleScope) closed(p string, isDir bool) bool {
	if s.daemon == nil {
		return false
	}
	for i := range len(p) {
		if p[i] == '/' && s.daemon.Check(p[:i], true, s.side) == filter.Exclude {
			return true
		}
	}
	return p != "." && p != "" && s.daemon.Check(p, isDir, s.side) == filter.Exclude
}

// Hidden implements transfer.Rules. The folders above are not looked at: the
// sending side has come through them.
func (s moduleScope) Hidden(from *transfer.Source, p string, isDir bool) bool {
	if p == "." {
		return false
	}
	if s.daemon != nil && s.daemon.Check(path.Join(from.Prefix, p), isDir, s.side) == filter.Exclude {
		return true
	}
	if s.client.Hidden(from, p, isDir) {
		return true
	}
	return s.readable != nil && from.Root != nil && !s.readable(from.Root, p)
}

// Enter implements transfer.Rules.
func (s moduleScope) Enter(from *transfer.Source, dir string) error { return s.client.Enter(from, dir) }

// Start implements transfer.Rules.
func (s moduleScope) Start(root *rootfs.Root) { s.client.Start(root) }

// Search implements transfer.Rules.
func (s moduleScope) Search(dir string) error { return s.client.Search(dir) }

// Protected implements transfer.Rules.
func (s moduleScope) Protected(p string, isDir, doomed bool) bool {
	if s.closed(path.Join(s.prefix, p), isDir) {
		return true
	}
	return s.client.Protected(p, isDir, doomed)
}

// Refused implements transfer.Rules.
func (s moduleScope) Refused(p string, isDir bool) bool {
	return s.closed(path.Join(s.prefix, p), isDir)
}

// Xattr implements transfer.XattrRules: attributes are the client's affair.
func (s moduleScope) Xattr(name string, side filter.Side) (out, decided bool) {
	return s.client.Xattr(name, side)
}
