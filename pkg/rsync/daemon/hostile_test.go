package daemon_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// dial connects; whatever a test does with the connection ends in time.
func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send writes; the daemon may have enough of it before the end.
func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_, _ = io.WriteString(c, text)
}

func readUntil(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if got, err := hear(c, text); err != nil {
		t.Fatalf("wait for %q: %v, got %.300q", text, err, got)
	}
}

// hear reads until the text has come.
func hear(c net.Conn, text string) (got []byte, err error) {
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte(text)) {
		n, err := c.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			return got, err
		}
	}
	return got, nil
}

// old is a client's beginning in protocol 29, whose frames go one way only.
func old(module string, args ...string) string {
	return "@RSYNCD: 29\n" + module + "\n" + strings.Join(args, "\n") + "\n\n"
}

func le(numbers ...int32) string {
	var b []byte
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}

// pullOf asks for a file of the module mod that is at index in the list.
func pullOf(name string, index int32) string {
	return old("mod", "--server", "--sender", "-r", ".", "mod/") + le(0) + // no rules
		le(index) + "\x00\x80" + // ITEM_TRANSFER
		le(0, 0, 0, 0) // count, block length, sum length, remainder
}

// listed is an entry of a file list in protocol 29, for -r alone.
func listed(name string, mode int32) string {
	return "\x18" + string([]byte{byte(len(name))}) + name + le(4, 1e9, mode)
}

// attack is what a stranger sends.
type attack struct{ name, text string }

func attacks() []attack {
	pull := old("mod", "--server", "--sender", "-r", ".", "mod/")
	push := old("up", "--server", "-r", ".", "up/")
	del := old("up", "--server", "-r", "--delete", ".", "up/")
	end := "\x00" + le(0)
	a := []attack{
		{"nothing", ""},
		{"web browser", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"zeros", strings.Repeat("\x00", 1<<20)},
		{"endless greeting", strings.Repeat("a", 4<<20)},
		{"version 0", "@RSYNCD: 0\nmod\n"},
		{"negative version", "@RSYNCD: -5\nmod\n"},
		{"huge version", "@RSYNCD: 99999999999999999999\nmod\n"},
		{"old version", "@RSYNCD: 19\nmod\n"},
		{"new version", "@RSYNCD: 41.0\nmod\n"},
		{"endless module", "@RSYNCD: 29\n" + strings.Repeat("m", 4<<20)},
		{"control characters", "@RSYNCD: 29\nx\x1b[31m\r2026/11/22 06:00:00 [1] forged\n"},
		{"command", "@RSYNCD: 29\n#shutdown\n"},
		{"no arguments", old("mod")},
		{"many arguments", old("mod", strings.Repeat("-v\n", 100_000))},
		{"endless argument", "@RSYNCD: 29\nmod\n" + strings.Repeat("a", 4<<20)},
		{"no dot", old("mod", "--server", "--sender", "-r")},
		{"forged lines", old("mod", "--server", "--sender", "-r", ".", "mod/x\r2026/11/22 06:00:00 [1] forged") + le(0)},
		{"forged lines, new protocol", "@RSYNCD: 31.0\nmod\n--server\x00--sender\x00-re.LsfxCIvu\x00.\x00mod/x\n2026/11/22 06:00:00 [1] forged\x00\x00" + le(4<<0|7<<24, 0)},
		{"negative rule", pull + le(-1)},
		{"huge rule", pull + le(0x7fffffff)},
		{"rule without sense", pull + le(4) + "????" + le(0)},
		{"merge rule", pull + le(13) + ". /etc/passwd" + le(0)},
		{"dir-merge rule", pull + le(4) + ":C x" + le(0)},
		{"many rules", pull + strings.Repeat(le(3)+"- a", 50_000) + le(0)},
		{"long rules", pull + strings.Repeat(le(4000)+"- "+strings.Repeat("a", 3998), 1000) + le(0)},
		{"negative index", pull + le(0, -7)},
		{"index out of range", pull + le(0, 1<<30)},
		{"item flags", pull + le(0, 1) + "\xff\xff\x80\xff" + strings.Repeat("n", 5000)},
		{"data of a folder", pull + le(0, 0) + "\x00\x80" + le(0, 0, 0, 0)},
		{"negative count", pull + le(0, 1) + "\x00\x80" + le(-1, 700, 2, 0)},
		{"huge count", pull + le(0, 1) + "\x00\x80" + le(0x7fffffff, 700, 2, 0) + strings.Repeat("\x01", 1<<16)},
		{"negative block", pull + le(0, 1) + "\x00\x80" + le(1, -700, 2, 0)},
		{"huge block", pull + le(0, 1) + "\x00\x80" + le(1, 0x7fffffff, 2, 0)},
		{"long sums", pull + le(0, 1) + "\x00\x80" + le(1, 700, 1000, 0)},
		{"negative remainder", pull + le(0, 1) + "\x00\x80" + le(1, 700, 2, -1)},
		{"only done", pull + le(0, -1, -1, -1, -1, -1, -1)},
		{"push up", push + listed("../evil", 0o100644) + end},
		{"push absolute", push + listed("/evil", 0o100644) + end},
		{"push up in the middle", push + listed("a/../../evil", 0o100644) + end},
		{"push no name", push + listed("", 0o100644) + end},
		{"push through a link", push + listed("out/evil", 0o100644) + end + le(0) + "\x00\x80" + le(0, 0, 0, 0) + le(4) + "evil" + le(0)},
		{"push no type", push + listed("f", 0) + end + le(0) + "\x00\x80" + le(0, 0, 0, 0) + le(4) + "evil" + le(0)},
		{"push twice the same", push + listed("f", 0o100644) + listed("f", 0o40755) + listed("f/g", 0o100644) + end},
		{"push a prefix of nothing", push + "\x38\xff\x01x" + end},
		{"push a negative name", push + "\x58" + le(-1) + end},
		{"push a huge name", push + "\x58" + le(0x7fffffff) + strings.Repeat("x", 1<<16)},
		{"push a negative size", push + "\x18\x01f" + le(-1) + strings.Repeat("\xff", 8) + le(1e9, 0o100644) + end},
		{"push negative token", push + listed("f", 0o100644) + end + le(0) + "\x00\x80" + le(0, 0, 0, 0) + le(-1<<31)},
		{"push a block of nothing", push + listed("f", 0o100644) + end + le(0) + "\x00\x80" + le(0, 0, 0, 0) + le(-5) + le(0)},
		{"push a huge literal", push + listed("f", 0o100644) + end + le(0) + "\x00\x80" + le(0, 0, 0, 0) + le(0x7fffffff) + "abc"},
		{"delete in excluded", del + le(0) + listed(".", 0o40755) + listed("keep", 0o40755) + listed("keep/sub", 0o40755) + end},
		{"delete-before in excluded", old("up", "--server", "-r", "--delete-before", ".", "up/") + le(0) + listed(".", 0o40755) + listed("keep", 0o40755) + listed("keep/sub", 0o40755) + end},
	}
	for _, arg := range []string{"--help", "-h", "--version", "--daemon", "--config=/etc/passwd", "--no-detach", "--server --daemon", "--log-file=/tmp/x",
		"--files-from=/etc/passwd", "--read-batch=x", "--iconv=x", "-zz", "--partial-dir=/etc", "--temp-dir=/etc", "--copy-dest=/etc", "--nonsense"} {
		words := append([]string{"--server", "--sender", "-r"}, strings.Fields(arg)...)
		a = append(a, attack{arg, old("mod", append(words, ".", "mod/")...) + le(0)})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, v := range []string{"20", "22", "27", "29", "30.0", "31.0", "32.0"} {
		noise := make([]byte, 50_000)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		line := "\n"
		if strings.Contains(v, ".") {
			line = "\x00"
		}
		for _, args := range [][]string{{"--server", "--sender", "-re.LsfxCIvu", ".", "mod/"}, {"--server", "-re.LsfxCIvu", "--delete", ".", "up/"}} {
			module := strings.TrimSuffix(args[len(args)-1], "/")
			a = append(a, attack{"noise " + v + " " + module, "@RSYNCD: " + v + "\n" + module + "\n" + strings.Join(args, line) + line + line + string(noise)})
		}
	}
	return a
}

// TestStrangers: whatever a stranger sends ends its own session, touches
// nothing that it may not, and leaves the daemon fit for others.
func TestStrangers(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{
		"mod/one": "1", "mod/two": "2", "up/out": "-> ../outside", "up/keep/sub/f": "kept", "outside/o": "o", "d/": "",
	})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n[up]\npath = @DIR@/up\nread only = no\nexclude = /keep/\n"), func(s *daemon.Server) {
		s.HelloTimeout = 2 * time.Second
	})
	t.Run("all", func(t *testing.T) {
		for _, a := range attacks() {
			t.Run(a.name, func(t *testing.T) {
				t.Parallel()
				c := dial(t, s.addr)
				go func() {
					send(t, c, a.text)
					if a.text != "" {
						_ = c.(*net.TCPConn).CloseWrite()
					}
				}()
				answer, err := io.ReadAll(c)
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Errorf("the session goes on for ever; so far %.200q", answer)
				}
				if bytes.Contains(answer, []byte("Usage:")) || bytes.Contains(answer, []byte("root:")) {
					t.Errorf("answer %.300q", answer)
				}
			})
		}
		t.Run("a good client meanwhile", func(t *testing.T) {
			t.Parallel()
			for range 5 {
				if out, code := p.rsync(s.addr, "-a", "--delete", "@URL@/mod/", "d/"); code != 0 {
					t.Errorf("code %d: %s", code, out)
				}
			}
		})
	})
	if got := p.tree("outside"); got != "o = \"o\"\n" {
		t.Errorf("outside the module:\n%s", got)
	}
	if got := p.tree("up"); !strings.Contains(got, "keep/sub/f = \"kept\"") || strings.Contains(got, "evil") {
		t.Errorf("in the module:\n%s", got)
	}
	if _, err := os.Stat(p.path("evil")); err == nil {
		t.Error("a file came to be above the module")
	}
	for line := range strings.Lines(s.log.String()) {
		if !strings.HasPrefix(line, "20") || strings.HasPrefix(line, "2026/11/22 06:00:00 [1]") || strings.ContainsAny(line, "\x1b\r") || len(line) > 8192 {
			t.Errorf("the log has the line %.300q", line)
		}
	}
}

// TestPanicStays: a fault in one session ends that one.
func TestPanicStays(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/one": "1"})
	first := true
	log := &buffer{}
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), func(s *daemon.Server) {
		s.Log = logTo(log)
		s.Motd = func() string {
			if first {
				first = false
				panic("made up\nfor a test")
			}
			return ""
		}
	})
	c := dial(t, s.addr)
	send(t, c, "@RSYNCD: 29\n")
	_, _ = io.ReadAll(c) // ends, in order or not
	if out, code := p.rsync(s.addr, "@URL@/mod/"); code != 0 {
		t.Errorf("afterwards: code %d, %s", code, out)
	}
	if !strings.Contains(log.String(), `fault="made up\nfor a test"`) || strings.Count(log.String(), "\n") != strings.Count(log.String(), "\n20")+1 {
		t.Errorf("log:\n%s", log)
	}
}

// TestManyErrors: what a client reports is logged with an end.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/one": "1"})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), nil)
	c := dial(t, s.addr)
	frame := func(tag int32, text string) string { return le((7+tag)<<24|int32(len(text))) + text }
	text := "@RSYNCD: 30.0\nmod\n--server\x00--sender\x00-r\x00.\x00mod/\x00\x00" + frame(0, le(0))
	for i := range 500 {
		text += frame(3, fmt.Sprintf("error %d\nforged line\n", i))
	}
	send(t, c, text)
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.ReadAll(c)
	eventually(t, "the end of the reports", func() bool { return strings.Contains(s.log.String(), "which are left out") })
	if n := strings.Count(s.log.String(), "the client reports"); n > 60 || n < 40 {
		t.Errorf("%d lines of reports:\n%s", n, s.log)
	}
}
