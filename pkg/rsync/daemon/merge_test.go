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
	tree := &subtree.Tree{Root: root, Closed: moduleScope{daemon: own, side: filter.Sender}.closed}
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
