package chmod

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// items are mode changes, good and bad ones.
func items() []string {
	return []string{
		"u=rwX,go=rX", "Dg+s,ug+w,Fo-w,+X", "D2775,F664", "755", "0", "7777", "g=u", "o=g", "g-o", "g=o,o=", "a=u", "go=u", "+X", "+x", "-w",
		"=r", "=", "=u", "+g", "-o", "u+s", "g+s", "ug+s", "+s", "+ts", "+st", "o+t", "a+t", "u=s", "ug=st", "u=t", "a-x", "F=", "Du=rwx,go=,g+s", "a=rX",
		"u=rwx,g=rx,o=r", "F+X", "D-X", "ugo=rwX", "u+x,g=u,o=g", "D755,F644,u+w", "u-s", "g=g", "uu+r",
		"", ",", "8", "DF=1", "F1D", "u", "u=rg", "u=gr", "u=ug", "u+x,", ",u+x", "10777", "u755", "D", "u+q", "x=u", "+x+w", "755x", "D+F", "u=ux",
	}
}

// modes of files and folders that the changes are tried on
func fileModes() []uint32 { return []uint32{0o644, 0o600, 0o755, 0o4711, 0o2640, 0o1666, 0, 0o6777} }

// TestAgainstRsync has the real rsync copy files with --chmod and compares the
// modes that come out.
func TestAgainstRsync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	for i, m := range fileModes() {
		d, f := filepath.Join(src, fmt.Sprint("d", i)), filepath.Join(src, fmt.Sprint("f", i))
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		// Nothing may keep this test's user out.
		if err := syscall.Chmod(d, m|0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Chmod(f, m|0o400); err != nil {
			t.Fatal(err)
		}
	}
	for _, umask := range []uint32{0o022, 0o077} {
		for i, item := range items() {
			if i%2 == 1 && umask == 0o077 && strings.ContainsAny(item, "ugoa") {
				continue // the umask does not matter
			}
			dst := filepath.Join(dir, fmt.Sprintf("dst%o-%d", umask, i))
			cmd := exec.Command("sh", "-c", fmt.Sprintf("umask %o; exec rsync -rp --chmod=\"$1\" \"$2/\" \"$3/\"", umask), "sh", item, src, dst)
			out, err := cmd.CombinedOutput()
			m, ours := Parse(item, umask)
			if strings.Contains(string(out), "Invalid argument passed to --chmod") {
				if ours == nil {
					t.Errorf("%q is taken, but rsync says %s", item, out)
				}
				continue
			}
			if ours != nil {
				t.Errorf("%v, but rsync takes it (%v)", ours, err)
				continue
			}
			compare(t, item, umask, m, src, dst)
		}
	}
}

func compare(t *testing.T, item string, umask uint32, m Modes, src, dst string) {
	t.Helper()
	for i := range fileModes() {
		for _, name := range []string{fmt.Sprint("d", i), fmt.Sprint("f", i)} {
			var from, to syscall.Stat_t
			if err := syscall.Lstat(filepath.Join(src, name), &from); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Lstat(filepath.Join(dst, name), &to); err != nil {
				continue // a folder that rsync has shut itself out of
			}
			if got := m.Apply(from.Mode); got != to.Mode {
				t.Errorf("umask %o, %s: %o becomes %o, with rsync %o", umask, item, from.Mode, got, to.Mode)
			}
		}
	}
}

func TestApplyKeepsTypes(t *testing.T) {
	m, err := Parse("D700,F600,a+t", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []uint32{0o100644, 0o040755, 0o020666, 0o010644} {
		if got := m.Apply(mode); got&typeBits != mode&typeBits || got&0o1000 == 0 {
			t.Errorf("%o becomes %o", mode, got)
		}
	}
	if got := Modes(nil).Apply(0o104755); got != 0o104755 {
		t.Errorf("no change makes %o of 104755", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, item := range items() {
		f.Add(item, uint32(0o100644))
	}
	f.Fuzz(func(t *testing.T, text string, mode uint32) {
		m, err := Parse(text, 0o022)
		if err != nil {
			return
		}
		if got := m.Apply(mode); got&^permBits != mode&^permBits {
			t.Errorf("%q changes the type: %o becomes %o", text, mode, got)
		}
	})
}
