package transfer

import (
	"context"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// What changes between its data's leaving and its arrival stays.
func TestRemoveSourceSparesChangedFiles(t *testing.T) {
	p := newPair(t)
	p.opt.RemoveSource = options.RemoveSource
	p.opt.Fsync = true // all get their names when all have been sent
	p.file(p.src+"/touched", "x", 0)
	p.file(p.src+"/longer", "x", 0)
	p.file(p.src+"/gone", "x", 0)
	p.file(p.src+"/a link now", "x", 0)
	p.file(p.src+"/as it was", "x", 0)
	p.dest.BeforeChange = func() error {
		p.file(p.src+"/touched", "x", 1)
		p.file(p.src+"/longer", "xy", 0)
		for _, n := range []string{"/gone", "/a link now"} {
			if err := os.Remove(p.src + n); err != nil {
				t.Error(err)
			}
		}
		return os.Symlink("x", p.src+"/a link now")
	}
	p.run(context.Background())
	if got := proto.ExitCode(p.sendErr); got != proto.ExitPartial {
		t.Errorf("the sending side ends with %v (%v)", got, p.sendErr)
	}
	if got, want := p.tree(p.src), "a link now longer touched"; got != want {
		t.Errorf("left are %q, want %q", got, want)
	}
	heard := strings.Join(p.heard, "\n")
	for _, want := range []string{"sender file already removed: gone", "Skipping sender remove for changed file: touched", "changed file: longer", "changed file: a link now"} {
		if !strings.Contains(heard, want) {
			t.Errorf("nobody says %q:\n%s", want, heard)
		}
	}
}

// A file whose name it cannot get at the destination stays.
func TestRemoveSourceNeedsSuccess(t *testing.T) {
	p := newPair(t)
	p.opt.RemoveSource = options.RemoveSource
	p.file(p.src+"/f", "x", 0)
	p.file(p.src+"/g", "x", 0)
	p.file(p.dst+"/f/full", "x", 0)
	p.run(context.Background())
	if got, want := p.tree(p.src), "f"; got != want {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// Messages that a receiving side has no business to send remove nothing.
func TestRemoveSourceHostile(t *testing.T) {
	p := newPair(t)
	p.file(p.src+"/f", "x", 0)
	p.file(p.src+"/empty/d/f", "x", 0)
	if err := os.Remove(p.src + "/empty/d/f"); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []options.RemoveMode{options.RemoveNone, options.RemoveSource} {
		for _, dry := range []bool{false, true} {
			p.opt.RemoveSource, p.opt.DryRun = mode, dry
			send, recv := p.links()
			recv.R.StartMux(nil)
			done := make(chan error, 1)
			go func() {
				_, err := Send(context.Background(), send, &p.opt, []Source{{Root: p.root(p.src), Name: "."}}, nil, &listener{})
				done <- err
			}()
			list := &filelist.List{Start: 1}
			dec := filelist.NewDecoder(recv.Caps, Fields(&p.opt, recv.ListSum))
			if _, err := dec.ReadPart(recv.R, list, 100, func(int) {}); err != nil {
				t.Fatal(err)
			}
			for _, index := range []int32{-1, -101, 0, 1, 2, 3, 4, 99, 1 << 30} {
				if e := list.At(index); e != nil && e.IsRegular() && mode != options.RemoveNone && !dry {
					continue // that one may go
				}
				recv.W.Message(proto.TagSuccess, wire.AppendInt32(nil, index))
				recv.W.Message(proto.TagSuccess, binary.LittleEndian.AppendUint64(wire.AppendInt32(nil, index), 1))
			}
			recv.W.Message(proto.TagSuccess, nil)
			_ = recv.W.Flush()
			recv.Abort()
			<-done
			if got, want := p.tree(p.src), "empty empty/d f"; got != want {
				t.Fatalf("mode %d, dry %t: left are %q, want %q", mode, dry, got, want)
			}
		}
	}
}
