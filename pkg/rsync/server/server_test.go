package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// talk runs a session with a client that says this and then nothing more. It
// returns what the client and the standard error hear.
func talk(t *testing.T, ctx context.Context, args []string, said string, hangUp bool) (heard, errText string, err error) {
	t.Helper()
	opt, err := options.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	near, far := pair(t)
	heardAll := make(chan string)
	go func() {
		p, _ := io.ReadAll(near)
		heardAll <- string(p)
	}()
	go func() {
		io.WriteString(near, said)
		if hangUp {
			near.(interface{ CloseWrite() error }).CloseWrite()
		}
	}()
	var errOut bytes.Buffer
	err = (&Session{Options: opt, Conn: far, Err: &errOut, Umask: 0o022}).Run(ctx)
	return <-heardAll, errOut.String(), err
}

// pair makes the two ends of a connection of pipes.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	in, farOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	farIn, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	near, far = session.Pipes(in, out), session.Pipes(farIn, farOut)
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func number(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }

// TestClientsThatMakeNoSense: each ends with the right code, and hears or leaves
// behind why.
func TestClientsThatMakeNoSense(t *testing.T) {
	dir := t.TempDir()
	send := []string{"--server", "--sender", "-r", ".", dir}
	recv := []string{"--server", "-r", ".", dir}
	for _, c := range []struct {
		name string
		args []string
		said string
		code proto.Exit
		want string // in what is heard or printed
	}{
		{"says nothing", send, "", proto.ExitStreamIO, "read the client's version"},
		{"half a version", send, "\x1d\x00", proto.ExitStreamIO, "read the client's version"},
		{"no version", send, "GET / HTTP/1.0\r\n", proto.ExitProtocol, "version"},
		{"too old", send, number(11), proto.ExitProtocol, "11"},
		{"leaves before its rules", send, number(29), proto.ExitStreamIO, "filter list"},
		{"a rule of 2 GB", send, number(29) + number(0x7fffffff), proto.ExitStreamIO, "filter rule"},
		{"a negative rule", send, number(29) + number(0xffffffff), proto.ExitStreamIO, "filter rule"},
		{"no rule at all", send, number(29) + number(3) + "???", proto.ExitProtocol, "???"},
		{"a merge rule", send, number(29) + number(6) + ". .foo" + number(0), proto.ExitProtocol, "merge"},
		{"leaves in the list", recv, number(28) + "\x01", proto.ExitStreamIO, ""},
		{"two destinations", append(recv, "x"), number(28), proto.ExitSyntax, "2 destinations"},
		{"no such place", []string{"--server", "-r", ".", dir + "/a/b/"}, number(28), proto.ExitFileIO, "mkdir"},
		{"a version that is none", append([]string{"--server", "--sender", "--protocol=19"}, ".", dir), "", proto.ExitSyntax, "--protocol must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			heard, errText, err := talk(t, ctx, c.args, c.said, true)
			if proto.ExitCode(err) != c.code {
				t.Errorf("code %d, want %d: %v", proto.ExitCode(err), c.code, err)
			}
			if !strings.Contains(heard+errText, c.want) {
				t.Errorf("the client hears %q, the error output is %q; want %q", heard, errText, c.want)
			}
		})
	}
}

// TestCancelled: a session whose client is silent ends with its context, and
// one with a timeout by itself.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := talk(t, ctx, []string{"--server", "--sender", "-r", ".", "."}, number(29), false)
	if proto.ExitCode(err) != proto.ExitSignal {
		t.Errorf("cancelled: %v", err)
	}
	_, _, err = talk(t, t.Context(), []string{"--server", "--sender", "-r", "--timeout=1", ".", "."}, number(29), false)
	if proto.ExitCode(err) != proto.ExitTimeout {
		t.Errorf("silent: %v", err)
	}
}

func TestOpenDest(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/there/below", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("there", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	one, oneDir, many := transfer.Stats{Files: 1}, transfer.Stats{Dirs: 1}, transfer.Stats{Files: 2, Links: 1}
	for _, c := range []struct {
		dest    string
		stats   transfer.Stats
		path    string
		created string
		code    proto.Exit
	}{
		{"there", many, "", "", 0},
		{"link", many, "", "", 0},
		{"there/below/..", many, "", "", 0},
		{"new", many, "new", "new", 0},
		{"new/", one, "new/", "new", 0},
		{"new", one, "new", "", 0},
		{"new", oneDir, "new", "", 0}, // an empty folder gets the name
		{"link/new", many, "new", "link/new", 0},
		{"file", one, "file", "", 0},
		{"file", many, "file", "", proto.ExitFileSelect},
		{"file", oneDir, "file", "", proto.ExitFileSelect},
		{"file/x", one, "", "", proto.ExitFileSelect},
		{"no/new", many, "no/new", "", proto.ExitFileIO},
		{"no/new", one, "no/new", "", proto.ExitFileSelect},
		{"no/new/", one, "", "", proto.ExitFileIO},
	} {
		created := ""
		d, err := OpenDest(filepath.Join(dir, c.dest)+c.dest[len(strings.TrimRight(c.dest, "/")):], &options.Options{}, func(p string) { created = p })
		if err == nil {
			if d.Accept != nil {
				err = d.Accept(c.stats)
			}
			d.Root.Close()
		}
		if proto.ExitCode(err) != c.code || d.Path != c.path {
			t.Errorf("%s: path %q, error %v; want %q, code %d", c.dest, d.Path, err, c.path, c.code)
		}
		if created != "" {
			created, _ = strings.CutPrefix(created, dir+"/")
		}
		if created != c.created {
			t.Errorf("%s: created %q, want %q", c.dest, created, c.created)
		}
	}
}

func TestOpenSources(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	sources, done, err := OpenSources([]string{"a", "a/", dir + "/a/b", "nothing/x", ".."}, &options.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for i, want := range []string{"a", ".", "b", "nothing/x", "."} {
		s := sources[i]
		if s.Name != want || (s.Err != nil) != (i == 3) || (s.Root == nil) != (i == 3) {
			t.Errorf("%d: %+v, want the name %q", i, s, want)
		}
	}
	if info, err := sources[2].Root.Lstat("b"); err != nil || !info.IsDir() {
		t.Errorf("an absolute source: %+v, %v", info, err)
	}
}

// TestStdio: pipes do not block while they are in use, and are then as they
// were; regular files stay as they are.
func TestStdio(t *testing.T) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(fds[0]), "in"), os.NewFile(uintptr(fds[1]), "out")
	defer in.Close()
	defer out.Close()
	conn, restore, err := Stdio(in, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Errorf("a read past its deadline: %v", err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Error(err)
	}
	p := make([]byte, 5)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(conn, p); err != nil || string(p) != "hello" {
		t.Errorf("%q, %v", p, err)
	}
	conn.Close()
	restore()
	for _, fd := range fds {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		if errno != 0 || flags&syscall.O_NONBLOCK != 0 {
			t.Errorf("descriptor %d has flags %#x, %v", fd, flags, errno)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if conn, restore, err = Stdio(f, f); err != nil {
		t.Fatal(err)
	}
	restore()
	conn.Close()
}
