package interop

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/ownspace"
)

// With -x nothing is deleted of what is mounted below the destination, whether
// or not the folder is on the list.
func TestDeleteSparesMounts(t *testing.T) {
	if !ownspace.Enter(t, 0) {
		return
	}
	for _, flags := range [][]string{
		{"-axi", "--delete"}, {"-axi", "--delete-before", "--info=mount"}, {"-axi", "--delete-delay", "--info=mount"},
		{"-axxi", "--delete-after"}, {"-axi", "--delete", "--no-i-r"}, {"-axi", "--delete", "--max-delete=2"}, {"-axi", "--force", "--delete-excluded", "--exclude=/mnt"},
		{"-axni", "--delete"},
	} {
		for _, role := range []string{"we copy", "our server receives", "our client pulls"} {
			s := newSandbox(t)
			s.write(s.src+"/a", []byte("a"), then)
			s.must(os.MkdirAll(s.src+"/listed/sub", 0o755))
			s.settle(s.src, "listed/sub", "listed", ".")
			o := oracle{flags: flags, dest: func(s *sandbox, dir string) {
				for _, p := range []string{"/mnt", "/deep/mnt", "/listed"} {
					s.must(os.MkdirAll(dir+p, 0o755))
					s.must(syscall.Mount("none", dir+p, "tmpfs", 0, ""))
					t.Cleanup(func() { s.must(syscall.Unmount(dir+p, 0)) })
					s.write(dir+p+"/sub/precious", []byte("stays"), then)
				}
				s.write(dir+"/deep/extra", []byte("goes"), then)
				s.write(dir+"/gone/extra", []byte("goes"), then)
				s.settle(dir, "mnt/sub", "mnt", "deep/mnt/sub", "deep/mnt", "deep", "listed/sub", "listed", "gone")
			}}
			rsh := s.rsh()
			want, got := o.prepared(s, "want"), o.prepared(s, "got")
			w, g := o.rsync(s, role, rsh, nil, want), o.role(s, role, got)
			w.tree, g.tree = o.snapshot(t, want), o.snapshot(t, got)
			t.Logf("%s %q", role, flags)
			o.compare(t, w, g)
			for _, p := range []string{"/mnt", "/deep/mnt", "/listed"} {
				if _, err := os.Stat(got + p + "/sub/precious"); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestLostFolders: what was to go into a folder that cannot be made is passed
// over, and nothing is said of each file. (rsync 3.5.0 promises that, and tries
// all the same where its list is in the order of old versions.)
func TestLostFolders(t *testing.T) {
	if !ownspace.Enter(t, 0) {
		return
	}
	for _, flags := range [][]string{{"-rliD"}, {"-rliDH", "--delete", "--no-i-r"}, {"-rlti", "--protocol=28"}} {
		for _, role := range []string{"we copy", "our server receives", "our client pulls"} {
			s := newSandbox(t)
			o := oracle{flags: flags, silent: true, source: func(s *sandbox, dir string) {
				for _, p := range []string{"/a", "/mnt/new/f", "/mnt/new/deep/f", "/mnt/new.f", "/z"} {
					s.write(dir+p, []byte("data"), then)
				}
				s.must(os.Symlink("f", dir+"/mnt/new/link"))
				s.must(syscall.Mkfifo(dir+"/mnt/fifo", 0o600))
				s.settle(dir, "mnt/new/link", "mnt/fifo", "mnt/new/deep", "mnt/new", "mnt", ".")
			}, dest: func(s *sandbox, dir string) {
				s.must(os.Mkdir(dir+"/mnt", 0o755))
				s.must(syscall.Mount("none", dir+"/mnt", "tmpfs", syscall.MS_RDONLY, ""))
				t.Cleanup(func() { s.must(syscall.Unmount(dir+"/mnt", 0)) })
			}}
			o.source(s, s.src)
			want, got := o.prepared(s, "want"), o.prepared(s, "got")
			w, g := o.rsync(s, role, s.rsh(), nil, want), o.role(s, role, got)
			t.Logf("%s %q", role, flags)
			if !strings.Contains(g.out, "mnt/new.f") || strings.Contains(g.out, "mnt/new/deep") || strings.Contains(g.out, "mnt/new/f") {
				t.Errorf("the output:\n%s", g.out)
			}
			w.tree, g.tree = o.snapshot(t, want), o.snapshot(t, got)
			o.compare(t, w, g)
		}
	}
}
