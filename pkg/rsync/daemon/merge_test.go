package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/subtree"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// TestMergeFilesAreConfined: a client that names merge files reaches none
// outside the module and none that the module's rules keep from it, and learns
// nothing of what is in a file from the error about it.
func TestMergeFilesAreConfined(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "passwd")
	module := filepath.Join(dir, "mod")
	for _, err := range []error{
		os.WriteFile(outside, []byte("root:secret"), 0o644), os.MkdirAll(module+"/sub", 0o755),
		os.Symlink(outside, module+"/absolute"), os.Symlink("../../passwd", module+"/sub/relative"), os.Symlink("../fine", module+"/sub/inside"),
		os.WriteFile(module+"/fine", []byte("- x"), 0o644), os.WriteFile(module+"/hidden", []byte("- x"), 0o644),
		os.WriteFile(module+"/noise", []byte("root:secret\n"), 0o644), os.Symlink(dir, module+"/up"), os.Mkdir(module+"/folder", 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	own, err := moduleRules(&conf.Module{Exclude: "/hidden"})
	if err != nil {
		t.Fatal(err)
	}
	tree := &subtree.Tree{Root: root, Closed: moduleScope{daemon: own.Scope("/", nil), side: filter.Sender}.closed}
	base, read := tree.Locate(root, "")
	for name, want := range map[string]string{
		"/fine": "- x", "/sub/inside": "- x", "/hidden": "", "/absolute": "", "/sub/relative": "", "/up/passwd": "",
		"/folder": "", "/nothing": "", "/../passwd": "", "/sub/../../passwd": "",
	} {
		text, err := read(name)
		if string(text) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := read("/hidden"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is hidden is told apart from what is not there: %v", err)
	}
	rules := filter.New(filter.Options{})
	if err := rules.Add(": noise"); err != nil {
		t.Fatal(err)
	}
	_, err = rules.Scope(base, read).Enter(".")
	if err == nil || strings.Contains(err.Error(), "root") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "'r'") {
		t.Errorf("the error about a file that is no list of rules: %v", err)
	}
}

// TestHiddenMergeFiles: the module's own merge files count where clients may not
// see them (C rsync's daemon forgets such rules), links in them lead nowhere else,
// and what cannot be read hides the folder.
func TestHiddenMergeFiles(t *testing.T) {
	dir := t.TempDir()
	module := filepath.Join(dir, "mod")
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "outside"), []byte("- b\n"), 0o644), os.MkdirAll(module+"/sub", 0o755), os.Mkdir(module+"/bad", 0o755),
		os.WriteFile(module+"/.r", []byte("- a\n"), 0o644), os.Symlink("../../outside", module+"/sub/.r"), os.WriteFile(module+"/bad/.r", []byte("nonsense\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	rules, err := moduleRules(&conf.Module{Filter: ":e .r", Exclude: ".r"})
	if err != nil {
		t.Fatal(err)
	}
	s := newModuleScope(rules, root)
	s.side, s.client = filter.Sender, transfer.NewClientRules(filter.New(filter.Options{}), nil, "")
	source := &transfer.Source{Root: root}
	for _, tt := range []struct {
		dir  string
		errs bool
		open []string
		not  []string
	}{
		{".", false, []string{"b", "sub"}, []string{"a", ".r"}},
		{"sub", true, nil, []string{"sub/a", "sub/b", "sub/c"}},
		{"bad", true, nil, []string{"bad/a", "bad/b"}},
	} {
		if err := s.Enter(source, tt.dir); (err != nil) != tt.errs {
			t.Errorf("%s: %v", tt.dir, err)
		}
		for i, list := range [][]string{tt.open, tt.not} {
			for _, p := range list {
				if got := s.Hidden(source, p, false); got != (i == 1) {
					t.Errorf("%s is hidden: %v", p, got)
				}
			}
		}
	}
}
