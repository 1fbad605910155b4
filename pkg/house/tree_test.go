package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/empegsync/empegsync"

// source is one parsed Go file.
type source struct {
	path string // slash-separated, from the tree's top
	test bool   // a _test.go file
	file *ast.File
	fset *token.FileSet
}

// dir is the folder, which for us is the package.
func (s source) dir() string { return path.Dir(s.path) }

// at describes a place in the source for a complaint.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// parse reads one Go file's text.
func parse(name, text string) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	return source{name, strings.HasSuffix(name, "_test.go"), file, fset}, nil
}

// synthetic is a source made up to try a rule on.
func synthetic(t *testing.T, name, text string) source {
	t.Helper()
	s, err := parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// top is the tree's top: the folder of go.mod.
func top(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above this folder")
		}
		dir = filepath.Dir(dir)
	}
}

// walk calls visit for every file of the tree that people write: not for hidden
// folders, what builds leave behind, or test data.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	root := top(t)
	err := filepath.WalkDir(root, func(name string, de fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if de.IsDir() {
			if rel != "." && (strings.HasPrefix(de.Name(), ".") || slices.Contains([]string{"bin", "dist", "testdata"}, de.Name())) {
				return filepath.SkipDir
			}
			return nil
		}
		visit(filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tree parses every Go file.
func tree(t *testing.T) []source {
	t.Helper()
	var out []source
	root := top(t)
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	})
	if len(out) == 0 {
		t.Fatal("no Go file found")
	}
	return out
}

// importPaths returns what the source imports, with the spec of each.
func (s source) importPaths() map[string]*ast.ImportSpec {
	out := make(map[string]*ast.ImportSpec, len(s.file.Imports))
	for _, spec := range s.file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			out[p] = spec
		}
	}
	return out
}

// localNames maps the names by which the source knows its imports to their paths.
func (s source) localNames() map[string]string {
	out := make(map[string]string)
	for p, spec := range s.importPaths() {
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[name] = p
	}
	return out
}

// own returns the tree's folder that an import path names, and whether it is ours.
func own(importPath string) (dir string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within says whether dir is room or lies below it.
func within(dir, room string) bool {
	return dir == room || strings.HasPrefix(dir, room+"/")
}

// complain reports what a rule found.
func complain(t *testing.T, found []string) {
	t.Helper()
	slices.Sort(found)
	for _, f := range found {
		t.Error(f)
	}
}

// trial is a synthetic source together with what a rule must say of it; nothing if want is empty.
type trial struct{ name, path, text, want string }

// try runs a rule of one source on each trial.
func try(t *testing.T, rule func(source) []string, trials []trial) {
	t.Helper()
	for _, tr := range trials {
		t.Run(tr.name, func(t *testing.T) {
			got := rule(synthetic(t, tr.path, tr.text))
			switch {
			case tr.want == "" && len(got) > 0:
				t.Errorf("complains of what is allowed: %q", got)
			case tr.want != "" && (len(got) != 1 || !strings.Contains(got[0], tr.want)):
				t.Errorf("got %q, want one complaint with %q", got, tr.want)
			}
		})
	}
}
