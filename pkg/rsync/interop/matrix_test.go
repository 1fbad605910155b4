package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// column is one of the things that the matrix does in every version, over both
// kinds of connection, both ways, in both roles.
type column struct {
	name    string
	flags   func(m *matrix, version int) []string
	inPlace bool // files that are there keep their place on the disk
	whole   bool // nothing of the file that is there is used
}

func always(flags ...string) func(*matrix, int) []string {
	return func(*matrix, int) []string { return flags }
}

func columns() []column {
	return []column{
		{name: "plain", flags: always("-a")},
		{name: "-z", flags: always("-az", "--no-W")},
		{name: "delta", flags: always("-aI", "--no-W", "-B700")},
		{name: "--delete", flags: always("-aW", "--delete"), whole: true},
		{name: "-H", flags: always("-aH")},
		{name: "-c", flags: always("-ac")},
		{name: "--inplace", flags: always("-a", "--inplace", "--no-W"), inPlace: true},
		{name: "filters", flags: filterFlags},
		{name: "files-from", flags: func(m *matrix, _ int) []string { return []string{"-a", "--files-from=" + m.list} }},
		{name: "numeric-ids", flags: always("-a", "--numeric-ids", "--delete-after")},
	}
}

// filterFlags has rules that the version can tell the other side.
func filterFlags(_ *matrix, version int) []string {
	flags := []string{"-a", "--delete", "--include=kept.tmp", "--exclude=*.tmp", "--exclude=/a/b/", "--exclude=c[0-9]?"}
	if version < 29 {
		return flags
	}
	return append(flags, "-f", "dir-merge,- .rules", "-f", "protect /spared*", "-f", "hide /hidden", "-f", "risk /ris?ed", "-f", "exclude,s! [a-z]*")
}

// cell is a place in a column.
type cell struct{ shell, push, server bool }

func (c cell) String() string {
	name := map[bool]string{false: "daemon", true: "shell"}[c.shell]
	name += map[bool]string{false: "/pull", true: "/push"}[c.push]
	return name + map[bool]string{false: "/our client", true: "/our server"}[c.server]
}

func cells() []cell {
	var all []cell
	for i := range 8 {
		all = append(all, cell{i&4 != 0, i&2 != 0, i&1 != 0})
	}
	return all
}

// matrix is what the cells share: a source, a list of names for --files-from,
// a remote shell, and a daemon of either kind.
type matrix struct {
	dir, src, list, rsh string
	theirs, ours        *sandbox
}

// TestMatrix compares what comes of a transfer with Debian's rsync at the other
// end with what rsync makes of it alone, in content, owner, mode, time, links
// and devices.
func TestMatrix(t *testing.T) {
	m := newMatrix(t)
	for _, v := range versions(20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32) {
		for _, col := range columns() {
			t.Run(fmt.Sprintf("%d/%s", v, col.name), func(t *testing.T) {
				t.Parallel()
				s := m.sandbox(t)
				s.must(os.Mkdir(s.dst, 0o755))
				m.lay(s)
				flags := append([]string{fmt.Sprintf("--protocol=%d", v)}, col.flags(m, v)...)
				if out, code := s.rsync(append(flags, m.src+"/", s.dst+"/")...); code != 0 {
					t.Fatalf("rsync alone ends with %d:\n%s", code, out)
				}
				want := snapshot(t, s.dst)
				for _, c := range cells() {
					if c.shell && !c.push && c.server && v < 23 {
						// rsync 3.5.0 waits for the list before it has sent
						// its filters, for ever, whoever the server is.
						continue
					}
					t.Run(c.String(), func(t *testing.T) { m.run(t, c, col, flags, v, want) })
				}
			})
		}
	}
}

// run fills one cell.
func (m *matrix) run(t *testing.T, c cell, col column, flags []string, version int, want string) {
	s := m.sandbox(t)
	s.must(os.RemoveAll(s.dst))
	s.must(os.Mkdir(s.dst, 0o755))
	m.lay(s)
	place := inode(t, s.dst+"/big")
	args := append(append([]string(nil), flags...), m.words(c, s)...)
	matched := int64(0)
	if c.server {
		out := m.debian(t, append(args, "--stats"))
		fmt.Sscan(strings.ReplaceAll(matchedLine().FindStringSubmatch(out)[1], ",", ""), &matched)
	} else {
		rec, st, err := s.shell(args...)
		if err != nil {
			t.Fatalf("our client: %v\n%s\n%s", err, rec, s.log)
		}
		matched = st.Matched
	}
	got, err := describe(s.dst)
	// Before version 24 a client that pushes leaves without waiting for the other side.
	for end := time.Now().Add(patience / 4); (got != want || err != nil) && c.push && version < 24 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		got, err = describe(s.dst)
	}
	if got != want || err != nil {
		t.Errorf("the tree is not what rsync makes alone: %v%s", err, difference(want, got))
	}
	if kept := inode(t, s.dst+"/big") == place; kept != col.inPlace {
		t.Errorf("the file that was there is written in place: %v", kept)
	}
	if col.whole != (matched == 0) {
		t.Errorf("%d bytes matched", matched)
	}
}

func matchedLine() *regexp.Regexp { return regexp.MustCompile(`Matched data: ([\d,]+) bytes`) }

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// words are the places of a cell.
func (m *matrix) words(c cell, s *sandbox) []string {
	far := func(p string) string { return "host:" + p + "/" }
	if !c.shell {
		served := m.theirs
		if c.server {
			served = m.ours
		}
		far = func(p string) string {
			if p == m.src {
				return "rsync://" + served.addr + "/src/"
			}
			return served.url(strings.TrimPrefix(p, m.dir) + "/")
		}
	}
	from, to := far(m.src), s.dst+"/"
	if c.push {
		from, to = m.src+"/", far(s.dst)
	}
	words := []string{from, to}
	if c.shell {
		words = append(words, "-e", m.rsh)
		if c.server {
			words = append(words, "--rsync-path="+os.Args[0])
		}
	}
	return words
}

// debian runs Debian's rsync, behind whose remote shell is our server.
func (m *matrix) debian(t *testing.T, args []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "rsync", args...)
	cmd.Env = append(os.Environ(), beServer+"=1")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("rsync %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// sandbox makes a folder for one test below the one that the daemons serve.
func (m *matrix) sandbox(t *testing.T) *sandbox {
	t.Helper()
	dir, err := os.MkdirTemp(m.dir, "cell")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &sandbox{t: t, dir: dir, src: m.src, dst: filepath.Join(dir, "dst"), log: &lockedBuffer{}}
}

// newMatrix lays out the source, with little of everything, and starts the
// daemons.
func newMatrix(t *testing.T) *matrix {
	t.Helper()
	s := newSandbox(t)
	m := &matrix{dir: s.dir, src: s.src, list: s.dir + "/list", rsh: s.rsh()}
	m.theirs, m.ours = newSandbox(t), newSandbox(t)
	// Without chroot, rsync 3.5.0's daemon finds nothing of --files-from below a
	// folder of a module: the source is a module, too.
	source := "[src]\npath = " + m.src + "\nuse chroot = no"
	m.theirs.debian(m.dir, source)
	m.ours.ours(m.dir, source)
	s.must(os.WriteFile(m.list, []byte("big\na/b/deep\n./sub/\nlink\nnull\nc12\nlatin1-\xe4\xf6\n"), 0o644))

	s.write(s.src+"/big", random(60_000, 1), then)
	for _, name := range []string{"a/b/deep", "a/b/c12", "c12", "x.tmp", "kept.tmp", "sub/y.tmp", "hidden", "sub/no", "new", "latin1-\xe4\xf6", strings.Repeat("n", 250)} {
		s.write(s.src+"/"+name, []byte("the content of "+name), then)
	}
	s.write(s.src+"/sub/.rules", []byte("no\n"), then)
	s.write(s.src+"/empty", nil, then)
	s.write(s.src+"/same", []byte("the same on both sides"), then)
	s.write(s.src+"/touched", random(2000, 4), then+77)
	s.write(s.src+"/changed within", []byte("same size, same time: what is new"), then)
	s.must(os.Mkdir(s.src+"/hollow", 0o700))
	s.must(os.Link(s.src+"/big", s.src+"/sub/big too"))
	s.must(os.Link(s.src+"/c12", s.src+"/a/another"))
	s.must(os.Symlink("a/b", s.src+"/link"))
	s.must(syscall.Mkfifo(s.src+"/fifo", 0o640))
	s.must(os.Chmod(s.src+"/new", 0o4751))
	s.must(os.Chmod(s.src+"/a/b", 0o2775))
	if os.Geteuid() == 0 {
		s.must(syscall.Mknod(s.src+"/null", syscall.S_IFCHR|0o666, 1<<8|3))
		s.must(syscall.Mknod(s.src+"/disk", syscall.S_IFBLK|0o600, 300<<8|7))
		s.must(os.Chown(s.src+"/a/b/deep", 1234, 4321))
		s.must(os.Lchown(s.src+"/link", 12, 43))
	}
	m.date(s, s.src, "a/b", "a", "sub", "hollow", "link", "fifo", "null", "disk", ".")
	return m
}

// lay makes the destination: an older state of a few things, and what is too
// much.
func (m *matrix) lay(s *sandbox) {
	s.t.Helper()
	old := bytes.Clone(random(60_000, 1)[:55_000])
	copy(old[20_000:], "what was here before")
	s.write(s.dst+"/big", old, then-5000)
	s.write(s.dst+"/same", []byte("the same on both sides"), then)
	s.write(s.dst+"/touched", random(2000, 4), then)
	s.write(s.dst+"/changed within", []byte("same size, same time: what is old"), then)
	s.write(s.dst+"/a", []byte("a file where a folder comes"), then)
	s.must(os.Mkdir(s.dst+"/c12", 0o755)) // and the other way round
	for _, name := range []string{"extra", "gone/sub/file", "sub/too much", "sub/no", "z.tmp", "spared", "risked"} {
		s.write(s.dst+"/"+name, []byte("gone"), then)
	}
	s.must(os.Link(s.dst+"/extra", s.dst+"/new"))
	s.must(os.Symlink("wrong", s.dst+"/link"))
	s.must(os.Symlink("/etc", s.dst+"/extra link"))
	m.date(s, s.dst, "gone/sub", "gone", "sub", "c12", "link", "extra link", ".")
}

// date sets the times of what is neither a file nor followed.
func (m *matrix) date(s *sandbox, top string, names ...string) {
	s.t.Helper()
	for i, name := range names {
		if _, err := os.Lstat(top + "/" + name); err == nil {
			at := unix.NsecToTimespec(int64(then+i) * 1e9)
			s.must(unix.UtimesNanoAt(unix.AT_FDCWD, top+"/"+name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
		}
	}
}
