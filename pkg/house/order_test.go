package house

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	mostLines     = 800 // of any file; about 400 is what to aim at
	mostMainLines = 40  // of a program's main.go
)

// nothingHidden is the rule that importing one of our packages does nothing: no
// init functions, no imports for their effects.
func nothingHidden(s source) []string {
	var out []string
	for _, decl := range s.file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			out = append(out, s.at(f)+": an init function runs before anyone asked: pass what it sets up")
		}
	}
	for p, spec := range s.importPaths() {
		if _, ours := own(p); ours && spec.Name != nil && spec.Name.Name == "_" {
			out = append(out, s.at(spec)+": "+p+" is imported for its effects: call it instead")
		}
	}
	return out
}

// documented is the rule that every exported name of pkg has a comment. Methods
// that only fulfil an interface known to every Go programmer need none.
func documented(s source) []string {
	if s.test || !within(s.dir(), "pkg") {
		return nil
	}
	var out []string
	lacks := func(n ast.Node, name string, docs ...*ast.CommentGroup) {
		if ast.IsExported(name) && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d.Text() != "" }) {
			out = append(out, fmt.Sprintf("%s: %s has no comment: say what it is, in which unit, and when it fails", s.at(n), name))
		}
	}
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d)) && !wellKnown(d.Name.Name) {
				lacks(d, d.Name.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch v := spec.(type) {
				case *ast.TypeSpec:
					lacks(v, v.Name.Name, v.Doc, d.Doc)
				case *ast.ValueSpec:
					for _, n := range v.Names {
						lacks(v, n.Name, v.Doc, v.Comment, d.Doc)
					}
				}
			}
		}
	}
	return out
}

// wellKnown names methods whose meaning their interface has settled.
func wellKnown(method string) bool {
	return slices.Contains([]string{"Error", "Is", "Unwrap", "String", "Len", "Less", "Swap"}, method)
}

// receiver is the name of the type whose method d is.
func receiver(d *ast.FuncDecl) string {
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name // the first: of List[T] it is List
		}
		return name == ""
	})
	return name
}

// packageComments returns a complaint for every package without a comment that
// tells what it is.
func packageComments(sources []source) []string {
	comments := make(map[string]string)
	names := make(map[string]string)
	for _, s := range sources {
		if s.test {
			continue
		}
		names[s.dir()] = s.file.Name.Name
		comments[s.dir()] += s.file.Doc.Text()
	}
	var out []string
	for dir, name := range names {
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + path.Base(dir)
		}
		if !strings.HasPrefix(comments[dir], want) {
			out = append(out, fmt.Sprintf("%s: no package comment that begins with %q: say what it does, what it does not, and how it is used", dir, want))
		}
	}
	return out
}

// tooLong returns a complaint if a file of that many lines is too long.
func tooLong(name string, lines int) string {
	most := mostLines
	if path.Base(name) == "main.go" && within(name, "cmd") {
		most = mostMainLines
	}
	switch {
	case path.Base(name) == "go.sum" || lines <= most:
		return ""
	case most == mostMainLines:
		return fmt.Sprintf("%s: %d lines, more than %d: main only calls run", name, lines, most)
	}
	return fmt.Sprintf("%s: %d lines, more than %d: it has more than one subject", name, lines, most)
}

func TestImportsDoNothing(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, nothingHidden(s))
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, documented(s))
	}
}

func TestPackagesHaveComments(t *testing.T) {
	complain(t, packageComments(tree(t)))
}

func TestFilesAreShort(t *testing.T) {
	root := top(t)
	walk(t, func(name string) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(string(text), 0) { // no text
			return
		}
		if why := tooLong(name, strings.Count(string(text), "\n")); why != "" {
			t.Error(why)
		}
	})
}

func TestNothingHiddenCatches(t *testing.T) {
	try(t, nothingHidden, []trial{
		{"init", "pkg/boot/x.go", "package x\nfunc init() {}\n", "init function"},
		{"init of a test", "pkg/boot/x_test.go", "package x\nfunc init() {}\n", "init function"},
		{"method", "pkg/boot/x.go", "package x\nfunc (t T) init() {}\n", ""},
		{"for its effects", "cmd/x/x.go", "package x\nimport _ \"" + module + "/pkg/boot\"\n", "for its effects"},
		{"of another module", "cmd/x/x.go", "package x\nimport _ \"embed\"\n", ""},
	})
}

func TestDocumentedCatches(t *testing.T) {
	in := "pkg/boot/x.go"
	try(t, documented, []trial{
		{"function", in, "package x\nfunc F() {}\n", "F has no comment"},
		{"type", in, "package x\ntype T int\n", "T has no comment"},
		{"variable", in, "package x\nvar V int\n", "V has no comment"},
		{"method", in, "package x\nfunc (t *T) M() {}\n", "M has no comment"},
		{"generic method", in, "package x\nfunc (t *T[K]) M() {}\n", "M has no comment"},
		{"one of a group", in, "package x\nconst (\n\t// A is.\n\tA = 1\n\tB = 2\n)\n", "B has no comment"},
		{"a directive", in, "package x\n//go:noinline\nfunc F() {}\n", "F has no comment"},
		{"commented", in, "package x\n// F does.\nfunc F() {}\n", ""},
		{"group", in, "package x\n// These are.\nconst (\n\tA = 1\n\tB = 2\n)\n", ""},
		{"at the line's end", in, "package x\nconst (\n\tA = 1 // one\n)\n", ""},
		{"unexported", in, "package x\nfunc f() {}\nfunc (t t1) M() {}\ntype t1 int\n", ""},
		{"well known", in, "package x\nfunc (t T) String() string { return \"\" }\n", ""},
		{"in a test", "pkg/boot/x_test.go", "package x\nfunc F() {}\n", ""},
		{"elsewhere", "tools/x/x.go", "package x\nfunc F() {}\n", ""},
	})
}

func TestPackageCommentsCatch(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  int
	}{
		{"there", map[string]string{"pkg/a/doc.go": "// Package a is.\npackage a\n", "pkg/a/b.go": "package a\n"}, 0},
		{"missing", map[string]string{"pkg/a/a.go": "package a\n"}, 1},
		{"apart", map[string]string{"pkg/a/a.go": "// Package a is.\n\npackage a\n"}, 1},
		{"another name", map[string]string{"pkg/a/a.go": "// Package b is.\npackage a\n"}, 1},
		{"program", map[string]string{"cmd/a/main.go": "// Command a does.\npackage main\n"}, 0},
		{"program's missing", map[string]string{"cmd/a/main.go": "package main\n"}, 1},
		{"tests only", map[string]string{"pkg/a/a_test.go": "package a\n"}, 0},
		{"two packages", map[string]string{"pkg/a/a.go": "package a\n", "pkg/b/b.go": "package b\n"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sources []source
			for name, text := range tt.files {
				sources = append(sources, synthetic(t, name, text))
			}
			if got := packageComments(sources); len(got) != tt.want {
				t.Errorf("%q, want %d complaints", got, tt.want)
			}
		})
	}
}

func TestTooLongCatches(t *testing.T) {
	tests := []struct {
		name  string
		lines int
		want  bool
	}{
		{"pkg/a/a.go", 800, false},
		{"pkg/a/a.go", 801, true},
		{"cmd/empegsync/main.go", 40, false},
		{"cmd/empegsync/main.go", 41, true},
		{"cmd/empegsync/pull.go", 41, false},
		{"tools/x/main.go", 41, false},
		{"go.sum", 5000, false},
	}
	for _, tt := range tests {
		if got := tooLong(tt.name, tt.lines) != ""; got != tt.want {
			t.Errorf("%s of %d lines: too long is %v", tt.name, tt.lines, got)
		}
	}
}
