package interop

import (
	"os"
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
