package transfer

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// pair is a sending and a receiving side in one process, past the handshake.
type pair struct {
	t        *testing.T
	src, dst string
	version  int
	whole    bool            // the list comes in one part
	corrupt  []byte          // what is damaged once on its way
	opt      options.Options // of both sides
	rules    Rules
	dest     Dest // without its root
	onItem   func(e *filelist.Entry)
	onData   func(e *filelist.Entry, sent int64) // of the sending side

	sent, got        Stats
	sendErr, recvErr error
	heard            []string // what the receiving side's observer was told
}

func newPair(t *testing.T) *pair {
	t.Helper()
	dir := t.TempDir()
	p := &pair{t: t, src: dir + "/src", dst: dir + "/dst", version: 31}
	p.opt = options.Options{Recurse: true, Links: true, Perms: true, Times: true, Specials: true, NumericIDs: true}
	for _, d := range []string{p.src, p.dst} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// file writes a file and sets its time to then plus age seconds.
const then = 1_000_000_000

func (p *pair) file(path, content string, age int64) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
	at := time.Unix(then+age, 0)
	if err := os.Chtimes(path, at, at); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) content(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(b)
}

// tree returns the names below dir, sorted, in one line.
func (p *pair) tree(dir string) string {
	p.t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// links returns both ends of a connection.
func (p *pair) links() (send, recv Link) {
	p.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	return p.link(&damaging{a, p.corrupt}, true), p.link(b, false)
}

// link makes an end of a session: the sender is the server.
func (p *pair) link(c net.Conn, server bool) Link {
	p.t.Helper()
	caps, err := proto.New(p.version)
	if err != nil {
		p.t.Fatal(err)
	}
	if caps.CompatFlags {
		f := proto.CompatFor(proto.ClientLetters())
		if p.whole || !p.opt.MayIncRecurse(false) {
			f &^= proto.CompatIncRecurse
		}
		caps = caps.WithCompat(f)
	}
	w := wire.NewWriter(c, 64*1024)
	if server && caps.MuxFromServer || !server && caps.MuxFromClient {
		w.StartMux()
	}
	p.t.Cleanup(func() { c.Close() })
	return Link{
		R: wire.NewReader(c, 64*1024), W: w, Caps: caps, Seed: 42, Server: server,
		FileSum: checksum.MD5, ListSum: checksum.MD5,
		PeerFrames: server && caps.MuxFromClient || !server && caps.MuxFromServer,
		Abort:      func() { c.Close() },
		ahead:      fewAhead,
	}
}

func (p *pair) root(dir string) *rootfs.Root {
	p.t.Helper()
	r, err := rootfs.Open(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Close() })
	return r
}

// run transfers src to dst.
func (p *pair) run(ctx context.Context) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	send, recv := p.links()
	var wg sync.WaitGroup
	opt := p.opt
	wg.Go(func() {
		o := opt
		p.sent, p.sendErr = Send(ctx, send, &o, []Source{{Root: p.root(p.src), Name: "."}}, p.rules, &listener{onData: p.onData})
		if p.sendErr != nil && proto.ExitCode(p.sendErr) != proto.ExitPartial {
			send.Abort()
		}
	})
	hear := &listener{onItem: p.onItem}
	dest := p.dest
	dest.Root = p.root(p.dst)
	p.got, p.recvErr = Receive(ctx, recv, &opt, dest, 0o022, p.rules, hear)
	recv.Abort()
	wg.Wait()
	p.heard = hear.heard
	if ctx.Err() == context.DeadlineExceeded {
		p.t.Fatal("the transfer hangs")
	}
}

func (p *pair) mustRun() {
	p.t.Helper()
	p.run(context.Background())
	if p.sendErr != nil || p.recvErr != nil {
		p.t.Fatalf("send: %v, receive: %v\n%s", p.sendErr, p.recvErr, strings.Join(p.heard, "\n"))
	}
}

// listener is an observer that keeps what it hears.
type listener struct {
	mu     sync.Mutex
	heard  []string
	onItem func(e *filelist.Entry)
	onData func(e *filelist.Entry, sent int64)
}

func (l *listener) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf(format, args...))
}

func (l *listener) Listed(int, bool) {}
func (l *listener) Data(e *filelist.Entry, sent int64) {
	if l.onData != nil {
		l.onData(e, sent)
	}
}
func (l *listener) Item(e *filelist.Entry, f proto.Item) {
	l.add("item %s", e.Path())
	if l.onItem != nil {
		l.onItem(e)
	}
}
func (l *listener) Deleted(p string, _ uint32)         { l.add("deleted %s", p) }
func (l *listener) Message(tag proto.Tag, text string) { l.add("message %d %s", tag, text) }
