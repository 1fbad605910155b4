package transfer

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// fewAhead is how many entries the tests' senders keep ahead.
const fewAhead = 60

// branches makes n folders with files in the source, more than a sender sends
// ahead in all.
func (p *pair) branches(n int) {
	p.t.Helper()
	for i := range n {
		for j := range 1 + 2*fewAhead/n {
			p.file(fmt.Sprintf("%s/%03d/%03d", p.src, i, j), fmt.Sprint(i, j), 0)
		}
	}
}

// A list in parts is let go of as the work goes on, on both sides.
func TestPartsAreDropped(t *testing.T) {
	p := newPair(t)
	p.branches(20)
	most := 0
	watch := func(c *common) {
		c.parts.mu.Lock()
		defer c.parts.mu.Unlock()
		n := 0
		for _, q := range c.parts.parts {
			n += q.Len()
		}
		most = max(most, n)
	}
	send, recv := p.links()
	var wg sync.WaitGroup
	wg.Go(func() {
		o := p.opt
		c := newCommon(send, &o, nil, &listener{})
		c.sending = true
		s := &sender{common: c, sources: []Source{{Root: p.root(p.src), Name: "."}}}
		s.sums, s.whole = nil, send.FileSum.NewFile(0)
		c.R.OnBlock(func() error { watch(c); return c.W.Flush() })
		if _, err := c.whole(context.Background(), s.run); err != nil {
			t.Errorf("send: %v", err)
			send.Abort()
		}
	})
	dest := Dest{Root: p.root(p.dst)}
	if _, err := Receive(context.Background(), recv, &p.opt, dest, 0o022, nil, &listener{}); err != nil {
		t.Errorf("receive: %v", err)
	}
	recv.Abort()
	wg.Wait()
	if most == 0 || most > 3*fewAhead {
		t.Errorf("the sender keeps %d entries at a time", most)
	}
	if p.tree(p.dst) != p.tree(p.src) {
		t.Error("the trees differ")
	}
}

// Files and folders that vanish when their folder has been announced are left
// out, and nothing is deleted for that.
func TestVanishesWhileParts(t *testing.T) {
	p := newPair(t)
	p.opt.Delete = options.DeleteDuring
	p.branches(20)
	p.file(p.dst+"/019/keep", "x", 0)
	var once sync.Once
	p.onItem = func(*filelist.Entry) {
		once.Do(func() {
			if err := os.RemoveAll(p.src + "/019"); err != nil {
				t.Error(err)
			}
		})
	}
	p.run(context.Background())
	if proto.ExitCode(p.sendErr) != proto.ExitVanished {
		t.Errorf("the sender ends with %v", p.sendErr)
	}
	if got := strings.Join(p.heard, "\n"); !strings.Contains(got, `directory has vanished: "019"`) {
		t.Errorf("told is only:\n%s", got[max(len(got)-300, 0):])
	}
	if got := p.content(p.dst + "/018/006"); got != "18 6" {
		t.Errorf("another folder's file holds %q", got)
	}
}

// Names of a file that are in different parts are linked when its data has
// come; if it cannot be had by the first name, it comes by the next.
func TestLinksAcrossParts(t *testing.T) {
	for _, vanishes := range []bool{false, true} {
		p := newPair(t)
		p.opt.HardLinks = true
		p.file(p.src+"/000/first", "shared", 0)
		for i := 1; i < 30; i++ {
			p.file(fmt.Sprintf("%s/%03d/own", p.src, i), "x", 0)
			if err := os.Link(p.src+"/000/first", fmt.Sprintf("%s/%03d/also", p.src, i)); err != nil {
				t.Fatal(err)
			}
		}
		p.file(p.src+"/000/earlier", "x", 0)
		if vanishes {
			var once sync.Once
			p.onItem = func(*filelist.Entry) {
				once.Do(func() {
					if err := os.Remove(p.src + "/000/first"); err != nil {
						t.Error(err)
					}
				})
			}
			// The list has it; that it is asked for comes later.
			p.file(p.src+"/000/a", strings.Repeat("x", 5<<20), 0)
		}
		p.run(context.Background())
		if code := proto.ExitCode(p.recvErr); code != proto.ExitOK && !vanishes {
			t.Errorf("%v, %v", p.sendErr, p.recvErr)
		}
		var inode os.FileInfo
		for i := 1; i < 30; i++ {
			info, err := os.Stat(fmt.Sprintf("%s/%03d/also", p.dst, i))
			if err != nil {
				t.Fatalf("vanishes %v: %v\n%s", vanishes, err, strings.Join(p.heard, "\n"))
			}
			if inode == nil {
				inode = info
			}
			if !os.SameFile(inode, info) {
				t.Errorf("vanishes %v: %03d is a file of its own", vanishes, i)
			}
		}
	}
}

// A file whose data are damaged on the way comes again while other parts are
// under way.
func TestRedoAcrossParts(t *testing.T) {
	p := newPair(t)
	p.branches(20)
	p.file(p.src+"/004/marked", "a word that is damaged once", 0)
	p.corrupt = []byte("a word that is damaged")
	p.mustRun()
	if got := p.content(p.dst + "/004/marked"); got != "a word that is damaged once" {
		t.Errorf("it holds %q", got)
	}
	if got := strings.Join(p.heard, "\n"); !strings.Contains(got, "004/marked failed verification") {
		t.Error("nothing was damaged")
	}
	if p.tree(p.dst) != p.tree(p.src) {
		t.Error("the trees differ")
	}
}

// Files that wait to be committed together do not hold up the parts that the
// sender has still to send.
func TestFsyncAcrossParts(t *testing.T) {
	p := newPair(t)
	p.opt.Fsync = true
	p.branches(40)
	for i := 2; i < 40; i++ { // there already: nothing is asked for
		for j := range 1 + 2*fewAhead/40 {
			p.file(fmt.Sprintf("%s/%03d/%03d", p.dst, i, j), fmt.Sprint(i, j), 0)
		}
	}
	p.mustRun()
	if p.tree(p.dst) != p.tree(p.src) {
		t.Error("the trees differ")
	}
}

// Files that wait to be committed do not wait for one that the sender cannot
// open.
func TestFsyncWhenLastVanishes(t *testing.T) {
	p := newPair(t)
	p.opt.Fsync = true
	p.file(p.src+"/a", strings.Repeat("x", maxWaitingBytes-1), 0)
	p.file(p.src+"/z", "gone", 0)
	p.onItem = func(e *filelist.Entry) {
		if e.Base == "a" {
			if err := os.Remove(p.src + "/z"); err != nil {
				t.Error(err)
			}
		}
	}
	p.run(context.Background())
	if proto.ExitCode(p.sendErr) != proto.ExitVanished {
		t.Errorf("the sender ends with %v", p.sendErr)
	}
	if got := p.tree(p.dst); got != "a" {
		t.Errorf("there is %q", got)
	}
}

// Folders get their times though files, subfolders and deletions came later.
func TestFolderTimesAcrossParts(t *testing.T) {
	for _, mode := range []options.DeleteMode{options.DeleteDuring, options.DeleteDelay} {
		p := newPair(t)
		p.opt.Delete = mode
		at := time.Unix(then, 0)
		for _, d := range []string{"a/b/c", "a/new/deep", "z"} {
			p.file(p.src+"/"+d+"/f", "x", 0)
		}
		p.file(p.dst+"/a/b/gone", "x", 0)
		p.file(p.dst+"/z/gone/too", "x", 0)
		folders := []string{"a/b/c", "a/b", "a/new/deep", "a/new", "a", "z", "."}
		for _, d := range folders {
			if err := os.Chtimes(p.src+"/"+d, at, at); err != nil {
				t.Fatal(err)
			}
		}
		p.mustRun()
		if p.tree(p.dst) != p.tree(p.src) {
			t.Errorf("%d: left are %s", mode, p.tree(p.dst))
		}
		for _, d := range folders {
			if info, err := os.Stat(p.dst + "/" + d); err != nil || !info.ModTime().Equal(at) {
				t.Errorf("%d: %s has %v, %v", mode, d, info.ModTime(), err)
			}
		}
	}
}

// script is what a hostile sender sends, after a first part with "." and the
// folder "d" and a second part for that.
type script func(w *wire.Writer, enc *filelist.Encoder, out *wire.IndexCoder)

func TestHostilePartSender(t *testing.T) {
	write := func(w *wire.Writer, b []byte) { _, _ = w.Write(b) }
	index := func(w *wire.Writer, out *wire.IndexCoder, i ...int32) {
		for _, i := range i {
			write(w, out.Append(nil, i))
		}
	}
	for name, tt := range map[string]struct {
		send script
		want string
	}{
		"done before the end": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) { index(w, out, -1, -1, -1) },
			"that is still in use"},
		"a part after the end": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) {
			index(w, out, proto.IndexListEnd, proto.IndexListBase-1)
		}, "file list that is complete"},
		"two ends": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) {
			index(w, out, proto.IndexListEnd, proto.IndexListEnd)
		}, "file list that is complete"},
		"a second part": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) { index(w, out, proto.IndexListBase-1) },
			"which has had its own"},
		"an unknown folder": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) { index(w, out, proto.IndexListBase-2) },
			"of which there are 2"},
		"an index of nothing": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) { index(w, out, -50) },
			"of which there are 2"},
		"an index of no part": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) { index(w, out, 77) },
			"outside the list"},
		"what was not asked for": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) {
			write(w, wire.AppendUint16(out.Append(nil, 5), uint16(proto.ItemTransfer)))
		}, "which was not asked for"},
		"no file where none was asked for": {func(w *wire.Writer, _ *filelist.Encoder, out *wire.IndexCoder) {
			w.Message(proto.TagNoSend, wire.AppendInt32(nil, 5))
			w.Message(proto.TagNoSend, wire.AppendInt32(nil, 4))
			w.Message(proto.TagNoSend, wire.AppendInt32(nil, -5))
			index(w, out, 77)
		}, "outside the list"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.opt.IgnoreNonExisting = true // nothing is asked for
			send, recv := p.links()
			go func() {
				defer send.Abort()
				enc, out := filelist.NewEncoder(send.Caps, Fields(&p.opt, send.ListSum)), wire.NewIndexCoder(true)
				enc.Begin(1)
				var b []byte
				for _, e := range []filelist.Entry{{Base: ".", Mode: filelist.ModeDir | 0o755}, {Base: "d", Mode: filelist.ModeDir | 0o755}} {
					b = enc.Append(b, &e)
				}
				b = out.Append(enc.AppendEnd(b, 0, nil, nil), proto.IndexListBase-1)
				enc.Begin(4)
				b = enc.Append(b, &filelist.Entry{Dir: "d", Base: "f", Mode: filelist.ModeFile | 0o644})
				b = enc.Append(b, &filelist.Entry{Dir: "d", Base: "g", Mode: filelist.ModeFile | 0o644})
				write(send.W, enc.AppendEnd(b, 0, nil, nil))
				tt.send(send.W, enc, &out)
				_ = send.W.Flush()
				for send.R.Next(1000) != nil { // until the other side has had enough
				}
			}()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			_, err := Receive(ctx, recv, &p.opt, Dest{Root: p.root(p.dst)}, 0o022, nil, &listener{})
			recv.Abort()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A receiving side cannot have a sender take a list, nor be done with parts
// that have not been sent.
func TestHostilePartReceiver(t *testing.T) {
	for name, tt := range map[string]struct {
		indexes []int32
		want    string
	}{
		"a list":          {[]int32{proto.IndexListBase}, "outside the list"},
		"the end":         {[]int32{proto.IndexListEnd}, "outside the list"},
		"a dropped part":  {[]int32{-1, 2}, "outside the list"},
		"a folder's data": {[]int32{1}, "not a regular file"},
	} {
		p := newPair(t)
		p.file(p.src+"/d/f", "x", 0)
		send, recv := p.links()
		go func() {
			defer recv.Abort()
			out := wire.NewIndexCoder(true)
			var b []byte
			for _, i := range tt.indexes {
				if b = out.Append(b, i); i >= 0 {
					b = wire.AppendUint16(b, uint16(proto.ItemTransfer))
				}
			}
			_, _ = recv.W.Write(out.Append(b, 1000))
			_ = recv.W.Flush()
			for recv.R.Next(1000) != nil {
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		_, err := Send(ctx, send, &p.opt, []Source{{Root: p.root(p.src), Name: "."}}, nil, &listener{})
		cancel()
		send.Abort()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// damaging is a connection that damages what it is told to once, on the way out.
type damaging struct {
	net.Conn
	what []byte
}

func (d *damaging) Write(b []byte) (int, error) {
	if i := bytes.Index(b, d.what); i >= 0 && d.what != nil {
		d.what = nil
		b = bytes.Clone(b)
		b[i] ^= 1
	}
	return d.Conn.Write(b)
}
