package interop

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// variedTree is a source with all kinds of files.
func variedTree(s *sandbox, dir string) {
	s.write(dir+"/big", random(90_000, 1), then)
	s.write(dir+"/changed", []byte("new"), then+1)
	s.write(dir+"/same", []byte("the same"), then)
	s.write(dir+"/mode", []byte("of another mode"), then)
	s.write(dir+"/new", random(5000, 2), then+2)
	s.write(dir+"/sub/changed", []byte("new as well"), then)
	s.write(dir+"/sub/deep/new", []byte("deep down"), then)
	s.write(dir+"/becomes file", []byte("a file"), then)
	s.write(dir+"/link becomes file", []byte("a file"), then)
	s.must(os.MkdirAll(dir+"/becomes folder", 0o755))
	s.must(os.Symlink("here", dir+"/link"))
	s.must(os.Symlink("there", dir+"/becomes link"))
	s.must(syscall.Mkfifo(dir+"/fifo", 0o600))
	s.must(os.Link(dir+"/big", dir+"/sub/big too"))
	s.must(os.Chmod(dir+"/sub", 0o750))
	for _, n := range []string{"link", "becomes link", "fifo", "becomes folder", "sub/deep", "sub", "."} {
		s.must(touch(dir+"/"+n, then+100))
	}
}

// variedDest is an older state of it, with more.
func variedDest(s *sandbox, dir string) {
	big := random(90_000, 1)
	copy(big[40_000:], "what was here before")
	s.write(dir+"/big", big[:80_000], then-1)
	s.write(dir+"/changed", []byte("old and longer"), then-2)
	s.write(dir+"/same", []byte("the same"), then)
	s.write(dir+"/mode", []byte("of another mode"), then)
	s.must(os.Chmod(dir+"/mode", 0o755))
	s.write(dir+"/sub/changed", []byte("old"), then)
	s.write(dir+"/extra", []byte("too much"), then)
	s.write(dir+"/extra~", []byte("too much, or a backup"), then)
	s.write(dir+"/changed~", []byte("an older backup"), then)
	s.write(dir+"/gone/sub/file", []byte("too much"), then)
	s.write(dir+"/gone/sub/file~", []byte("too much, or a backup"), then)
	s.write(dir+"/becomes folder", []byte("a file"), then)
	s.must(os.MkdirAll(dir+"/becomes file", 0o755))
	s.must(os.Symlink("nowhere", dir+"/link"))
	s.must(os.Symlink("nowhere", dir+"/gone/link"))
	s.must(os.Symlink("nowhere", dir+"/link becomes file"))
	s.write(dir+"/becomes link", []byte("a file"), then)
	s.must(syscall.Mkfifo(dir+"/fifo", 0o644))
	s.must(os.Chmod(dir+"/gone", 0o710))
	for _, n := range []string{"link", "gone/link", "link becomes file", "fifo", "becomes file", "gone/sub", "gone", "sub", "."} {
		s.must(touch(dir+"/"+n, then-100))
	}
}

// onFiles runs each line of options through the oracle.
func onFiles(t *testing.T, o oracle, lines ...string) {
	t.Helper()
	for _, line := range lines {
		o := o
		o.flags, o.beside = strings.Fields(line), true
		if o.source == nil {
			o.source = variedTree
		}
		if o.dest == nil {
			o.dest = variedDest
		}
		t.Run(strings.ReplaceAll(line, "/", "_"), o.run)
	}
}

func TestBackup(t *testing.T) {
	onFiles(t, oracle{},
		"-aib", "-aib --delete", "-aib --delete-after --suffix=.old", "-aiHb --delete --backup-dir=../bak", "-ai --backup-dir=bak --delete-excluded --exclude=bak",
		"-vrb", "-ainb --delete", "-aib --fsync --delete-before", "-aib --force", "-aib --delete --max-delete=2",
	)
	onFiles(t, oracle{silent: true}, "-avvb --delete --backup-dir=../bak/deeper --suffix=.x", "-ab --protocol=24 --no-W",
		"-abc --delete --backup-dir=. --suffix=.b --protocol=28")
	// The backups' places are taken.
	onFiles(t, oracle{silent: true, dest: func(s *sandbox, dir string) {
		variedDest(s, dir)
		s.write(dir+"/../bak/sub", []byte("a file where a folder is needed"), then)
		s.write(dir+"/../bak/extra/file", []byte("a folder where a file goes"), then)
		s.write(dir+"/../bak/changed", []byte("a backup of before"), then)
	}}, "-aib --delete --backup-dir=../bak")
}
