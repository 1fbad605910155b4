package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// What stops this side of a local copy is told, not that the server in the same
// process has lost its client, though that has the higher number.
func TestCopyTellsItsOwnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/from", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*options.Options){
		"before the server":   func(o *options.Options) { o.WriteBatch = dir + "/no/where" },
		"after the handshake": func(o *options.Options) { o.Chmod = "what" },
		"in the handshake":    func(o *options.Options) { o.Protocol = 33 },
	} {
		opt, err := options.Parse([]string{"-a", "--timeout=60", dir + "/from/", dir + "/to"})
		if err != nil {
			t.Fatal(err)
		}
		spoil(opt)
		var printed bytes.Buffer
		heard := &mute{}
		_, err = (&Client{Options: opt, Observer: heard, Shell: Shell{Stderr: &printed}}).Copy(t.Context(), opt.Args[:1], opt.Args[1])
		if err == nil || proto.IsGone(err) || proto.ExitCode(err) == proto.ExitStreamIO || strings.Contains(printed.String()+heard.text.String(), "EOF") {
			t.Errorf("%s: %v (code %d), printed %q, heard %q", name, err, proto.ExitCode(err), &printed, &heard.text)
		}
	}
}

// How a shell ends is a consequence where this side has failed of its own accord.
func TestShellStatus(t *testing.T) {
	own := proto.Failf(proto.ExitFileIO, "no room here")
	gone := proto.Fail(proto.ExitStreamIO, &proto.Gone{Err: io.ErrUnexpectedEOF})
	partial := proto.Fail(proto.ExitPartial, proto.ExitPartial)
	for _, c := range []struct {
		err    error
		status int
		want   proto.Exit
	}{
		{own, 0, 11},
		{own, 10, 11}, {own, 12, 11}, {own, 20, 11}, {own, 30, 11}, {own, 141, 11}, {own, 255, 11},
		{gone, 0, 12}, {gone, 3, 12}, {gone, 10, 12}, {gone, 12, 12}, {gone, 14, 14}, {gone, 127, 127}, {gone, 255, 255},
		{partial, 12, 23}, {partial, 23, 23}, {partial, 25, 25}, {partial, 255, 255},
		{nil, 0, 0}, {nil, 12, 12}, {nil, 23, 23}, {nil, 255, 255},
	} {
		p, err := Shell{}.start(t.Context(), []string{"sh", "-c", fmt.Sprintf("exit %d", c.status)})
		if err != nil {
			t.Fatal(err)
		}
		got := p.ended(c.err)
		p.Close()
		if proto.ExitCode(got) != c.want || c.err == own && got != own {
			t.Errorf("%v, status %d: %v (code %d), want code %d", c.err, c.status, got, proto.ExitCode(got), c.want)
		}
	}
	for _, want := range []error{own, gone} {
		p, err := Shell{}.start(t.Context(), []string{"sleep", "1000"})
		if err != nil {
			t.Fatal(err)
		}
		p.stop() // as when it does not end by itself
		if got := p.ended(want); got != want {
			t.Errorf("%v, ended by us: %v", want, got)
		}
		p.Close()
	}
}

// What a shell has said before it ended is heard, however late it is looked for.
func TestOverhearLate(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close() // something that the shell has left behind has it, too
	text := strings.Repeat("x", 3*mostOverheard) + "Permission denied"
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
	if err := from.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	o := overhear(from, &shown)
	<-o.done
	if end := o.end(); shown.String() != text || !bytes.HasSuffix(end, []byte("Permission denied")) {
		t.Errorf("%d bytes shown, %q kept", shown.Len(), end)
	}
}

// hungUp is a connection whose far end has said its last words and does not
// listen any more.
type hungUp struct{ io.Reader }

func (hungUp) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// Why a peer has stopped is told where writing shows first that it has, also
// where that happens on the way to the next read.
func TestLastWords(t *testing.T) {
	words := wire.NewWriter(nil, 512)
	var sent bytes.Buffer
	words.Replace(&sent)
	words.StartMux()
	words.Message(proto.TagError, []byte("no room there\n"))
	words.Message(proto.TagErrorExit, wire.AppendInt32(nil, int32(proto.ExitFileIO)))
	if err := words.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, onRead := range []bool{false, true} {
		far := hungUp{bytes.NewReader(sent.Bytes())}
		cn := &conn{r: wire.NewReader(far, 512), w: wire.NewWriter(far, 512), close: func() {}}
		var heard string
		cn.r.StartMux(func(tag proto.Tag, p []byte) error {
			if tag == proto.TagErrorExit {
				return proto.Failf(proto.Exit(p[0]), "the peer stopped")
			}
			heard += string(p)
			return nil
		})
		_, err := cn.w.Write([]byte("data"))
		if onRead {
			cn.r.OnBlock(cn.w.Flush)
			cn.r.Byte()
			err = cn.r.Err()
		} else {
			err = errors.Join(err, cn.w.Flush())
		}
		if err = cn.lastWords(err); proto.ExitCode(err) != proto.ExitFileIO || heard != "no room there\n" {
			t.Errorf("on reading %v: %v, heard %q", onRead, err, heard)
		}
	}
}

// A server that does not listen from the start is heard all the same, by pulls
// and by pushes.
func TestDeafServer(t *testing.T) {
	dir := t.TempDir()
	// version 29, a seed, a frame with an error message
	script := `exec <&-; printf '\035\000\000\000\001\000\000\000\016\000\000\012no room there\n'; exit 11`
	if err := os.WriteFile(dir+"/shell", []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	there := Remote{Host: "host", Shell: true, Path: "f"}
	for _, push := range []bool{false, true} {
		opt, err := options.Parse([]string{"-r", "-e", "sh " + dir + "/shell", "-f", "- x", "--delete", "host:f"})
		if err != nil {
			t.Fatal(err)
		}
		heard := &mute{}
		c := &Client{Options: opt, Observer: heard}
		if push {
			_, err = c.Push(t.Context(), nil, there)
		} else {
			_, err = c.ListFiles(t.Context(), []Remote{there}, func(*filelist.Entry) {})
		}
		if proto.ExitCode(err) != proto.ExitStreamIO || heard.text.String() != "no room there\n" {
			t.Errorf("push %v: %v (code %d), heard %q", push, err, proto.ExitCode(err), &heard.text)
		}
	}
}
