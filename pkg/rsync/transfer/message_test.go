package transfer

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// messages counts those that have been sent, by tag.
func messages(sent *bytes.Buffer) map[proto.Tag]int {
	count := map[proto.Tag]int{}
	r := wire.NewReader(sent, 4096)
	r.StartMux(func(tag proto.Tag, _ []byte) error {
		count[tag]++
		return nil
	})
	r.Next(1)
	return count
}

// The other side waits for each file that it has asked for, or for the message that
// it does not come, however many there are in one go.
func TestEachFileThatDoesNotComeIsTold(t *testing.T) {
	const files = 20_000
	var sent bytes.Buffer
	c := &common{sending: true, obs: &listener{}}
	c.Server, c.Caps.CompatFlags = true, true
	c.W = wire.NewWriter(&sent, 4096)
	c.W.StartMux()
	s := &sender{common: c}
	name := strings.Repeat("a", 200)
	for i := range int32(files) {
		s.cannotOpen(i, &filelist.Entry{Base: name}, &os.PathError{Op: "open", Err: syscall.EACCES})
	}
	if err := c.W.Flush(); err != nil {
		t.Fatal(err)
	}
	n := messages(&sent)
	if n[proto.TagNoSend] != files || n[proto.TagErrorXfer] != files {
		t.Errorf("%d messages for who waits, %d for people; want %d of both", n[proto.TagNoSend], n[proto.TagErrorXfer], files)
	}
}

// What a receiving server deletes is shown by its client, to the last file.
func TestEachDeletionIsTold(t *testing.T) {
	const files = 6000
	p := newPair(t)
	if err := os.Mkdir(p.dst+"/d", 0o755); err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("b", 190)
	for i := range files {
		if err := os.WriteFile(fmt.Sprintf("%s/d/%s%d", p.dst, name, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var sent bytes.Buffer
	end, _ := net.Pipe()
	link := p.link(end, true)
	link.W = wire.NewWriter(&sent, 4096)
	link.W.StartMux()
	opt := &options.Options{Delete: options.DeleteDuring, LogFormat: "%n"}
	r := &receiver{common: newCommon(link, opt, nil, &listener{}), root: p.root(p.dst)}
	g := &generator{receiver: r, flushAt: 64}
	if gone, err := g.remove(victim{path: "d", mode: filelist.ModeDir}); !gone || err != nil {
		t.Fatal(gone, err)
	}
	if err := r.W.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := messages(&sent)[proto.TagDeleted]; n != files+1 {
		t.Errorf("%d of %d deletions are told", n, files+1)
	}
}
