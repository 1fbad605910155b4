package interop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func random(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

// populate fills the source with one of everything, and the destination with
// an older state of some of it, and with what should go.
func (s *sandbox) populate() {
	s.t.Helper()
	const then = 1_000_000_000
	big := random(700_000, 1)
	s.write(s.src+"/big", big, then)
	old := bytes.Clone(big)
	copy(old[300_000:], "what was here before")
	s.write(s.dst+"/big", old[:650_000], then-5000)
	s.write(s.src+"/empty", nil, then)
	s.write(s.src+"/same", []byte("the same on both sides"), then)
	s.write(s.dst+"/same", []byte("the same on both sides"), then)
	s.write(s.src+"/shrunk", []byte("short"), then+1)
	s.write(s.dst+"/shrunk", random(5000, 3), then)
	s.write(s.src+"/touched", random(10_000, 4), then+77)
	s.write(s.dst+"/touched", random(10_000, 4), then)
	s.write(s.src+"/grown", random(3_000_000, 5), then)
	s.write(s.dst+"/grown", random(3_000_000, 5)[:1_000_000], then)
	s.write(s.src+"/newer there", []byte("old"), then)
	s.write(s.src+"/a-file", []byte("x"), then)
	s.write(s.src+"/a/file", []byte("y"), then)
	s.write(s.src+"/a.b/file", []byte("z"), then)
	s.write(s.src+"/a/b/c/d/deep", random(100, 6), then)
	s.write(s.src+"/"+strings.Repeat("n", 250), []byte("long name"), then)
	s.write(s.src+"/"+strings.Repeat("d", 200)+"/"+strings.Repeat("e", 200)+"/f", []byte("long path"), then)
	s.write(s.src+"/latin1-\xe4\xf6", []byte("not UTF-8"), then)
	for i := range 120 {
		s.write(fmt.Sprintf("%s/fids/%x", s.src, 0x120+i*16), random(i*7, uint64(i)), then+int64(i))
		s.write(fmt.Sprintf("%s/fids/_00018/%03x", s.src, i), random(i, uint64(i)), then)
	}
	s.must(os.Link(s.src+"/big", s.src+"/a/big too"))
	s.must(os.Link(s.src+"/big", s.src+"/zzz big"))
	s.must(os.Link(s.src+"/fids/120", s.src+"/fids/_00018/same as 120"))
	s.write(s.dst+"/fids/_00018/same as 120", []byte("another file there"), then)
	s.must(os.Symlink("a/file", s.src+"/link"))
	s.must(os.Symlink("/etc/passwd", s.src+"/absolute link"))
	s.must(os.Symlink("wrong", s.dst+"/link"))
	s.must(syscall.Mkfifo(s.src+"/fifo", 0o640))
	if os.Geteuid() == 0 {
		s.must(syscall.Mknod(s.src+"/null", syscall.S_IFCHR|0o666, 1<<8|3))
		s.must(syscall.Mknod(s.src+"/disk", syscall.S_IFBLK|0o600, 300<<8|7))
		s.must(os.Chown(s.src+"/a/file", 1234, 4321))
		s.must(os.Lchown(s.src+"/link", 12, 43))
	}
	s.must(os.Chmod(s.src+"/a-file", 0o4751))
	s.must(os.Chmod(s.src+"/a/b", 0o2775))
	s.must(os.Mkdir(s.src+"/empty dir", 0o700))
	// what is of another type at the destination
	s.write(s.dst+"/a", []byte("a file where a folder comes"), then)
	s.must(os.MkdirAll(s.dst+"/a-file/sub", 0o755))
	s.write(s.dst+"/a-file/sub/x", []byte("a folder where a file comes"), then)
	// what is too much there
	s.write(s.dst+"/extra", []byte("gone"), then)
	s.write(s.dst+"/fids/gone", []byte("gone"), then)
	s.write(s.dst+"/extra dir/sub/file", []byte("gone"), then)
	s.must(os.Symlink("/etc", s.dst+"/extra link"))
	for i, d := range []string{"a/b/c/d", "a/b/c", "a/b", "a", "a.b", "fids/_00018", "fids", "empty dir", "."} {
		at := time.Unix(then+int64(i), 0)
		s.must(os.Chtimes(filepath.Join(s.src, d), at, at))
	}
}

func (s *sandbox) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// versions returns which of the protocol versions the matrix runs. The race
// detector makes each run several times as long and looks at goroutines rather
// than at versions: it gets those where much changes. Without it all run.
func versions(of ...int) []int {
	if !underRace {
		return of
	}
	return slices.DeleteFunc(of, func(v int) bool { return v != 20 && v != 28 && v != 30 && v != 32 })
}

// TestTree runs versions between which much changes both ways with Debian's
// rsync on the other side, on a tree that has more of everything than the
// matrix's, and again on what came of that.
func TestTree(t *testing.T) {
	type job struct {
		name  string
		flags []string
	}
	common := []job{
		{"archive", []string{"-aH", "--delete"}},
		{"after", []string{"-aHcI", "--delete-after", "--no-W", "-B", "1000", "--numeric-ids"}},
	}
	more := []job{
		{"numeric", []string{"-aH", "--delete", "--numeric-ids", "-c"}},
		{"whole", []string{"-aHW", "--delete-before"}},
	}
	for _, v := range versions(20, 27, 29, 32) {
		jobs := common
		if v == 32 {
			jobs = append(jobs[:len(jobs):len(jobs)], more...)
		}
		for _, j := range jobs {
			flags := append([]string{fmt.Sprintf("--protocol=%d", v)}, j.flags...)
			for _, way := range []struct {
				name   string
				server func(s *sandbox, path string)
				client func(s *sandbox, args ...string)
			}{
				{"our client", func(s *sandbox, p string) { s.debian(p) }, runOurs},
				{"our daemon", func(s *sandbox, p string) { s.ours(p) }, runDebian},
			} {
				t.Run(fmt.Sprintf("%d/%s/%s/pull", v, j.name, way.name), func(t *testing.T) {
					t.Parallel()
					s := newSandbox(t)
					s.populate()
					way.server(s, s.src)
					way.client(s, append(flags, s.url("/"), s.dst+"/")...)
					sameTrees(t, s.src, s.dst)
				})
				t.Run(fmt.Sprintf("%d/%s/%s/push", v, j.name, way.name), func(t *testing.T) {
					t.Parallel()
					s := newSandbox(t)
					s.populate()
					// rsync's daemon makes the targets of absolute links relative.
					s.must(os.Remove(s.src + "/absolute link"))
					way.server(s, s.dst)
					way.client(s, append(flags, s.src+"/", s.url("/"))...)
					sameTrees(t, s.src, s.dst)
				})
			}
		}
	}
}

func runOurs(s *sandbox, args ...string) {
	s.t.Helper()
	rec, _, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("our client: %v\n%s", err, rec)
	}
	before := snapshot(s.t, s.dst)
	rec, st, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("our client, again: %v\n%s", err, rec)
	}
	if after := snapshot(s.t, s.dst); after != before {
		s.t.Errorf("a second run changed something:\n%s", rec)
	}
	if st.Deleted != 0 {
		s.t.Errorf("a second run deleted %d files", st.Deleted)
	}
}

func runDebian(s *sandbox, args ...string) {
	s.t.Helper()
	for run := range 2 {
		if out, code := s.rsync(args...); code != 0 {
			s.t.Fatalf("rsync ends with %d:\n%s", code, out)
		}
		s.ended(run + 1)
	}
}

// ended waits until our daemon has ended n sessions: before version 24 a
// client that pushes leaves without waiting for that.
func (s *sandbox) ended(n int) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Count(s.log.String(), "received ") >= n {
			return
		}
	}
	s.t.Fatalf("our daemon has not ended %d sessions", n)
}
