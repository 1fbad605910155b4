package transfer

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// badRules are rules that cannot be understood where files are deleted.
type badRules struct{}

func (badRules) Enter(*Source, string) error       { return nil }
func (badRules) Hidden(*Source, string, bool) bool { return false }
func (badRules) Start(*rootfs.Root)                {}
func (badRules) Search(string) error               { return errors.New("a rule that nobody understands") }
func (badRules) Protected(string, bool, bool) bool { return true }
func (badRules) Refused(path string, _ bool) bool  { return false }

// Of the errors of both goroutines the one is told that is no mere consequence.
func TestFirstCause(t *testing.T) {
	own, other, gone := errors.New("own"), errors.New("other"), &proto.Gone{Err: io.EOF}
	for _, c := range []struct {
		gen, recv error
		genFirst  bool
		want      error
	}{
		{nil, nil, false, nil},
		{own, nil, true, own},
		{nil, own, false, own},
		{own, gone, false, own},   // it was over by then
		{own, gone, true, own},    // it was ended
		{own, other, true, own},   // so it was, and says more about it
		{other, own, false, own},  // it ended by itself, the generating one heard of it
		{gone, own, false, own},   // what the peer has said
		{gone, own, true, gone},   // nothing was heard, reading was ended
		{gone, gone, false, gone}, // the connection
	} {
		if got := firstCause(c.gen, c.recv, c.genFirst); got != c.want {
			t.Errorf("%v, %v, first %v: %v", c.gen, c.recv, c.genFirst, got)
		}
	}
}

// The generating goroutine's error ends the other one, whose own error then says
// nothing.
func TestGeneratorErrorIsTold(t *testing.T) {
	for _, whole := range []bool{false, true} {
		p := newPair(t)
		p.whole, p.rules, p.opt.Delete = whole, badRules{}, options.DeleteDuring
		p.file(p.src+"/a/f", "new", 0)
		p.file(p.dst+"/a/g", "old", 0)
		p.run(context.Background())
		if proto.ExitCode(p.recvErr) != proto.ExitSyntax || !strings.Contains(p.recvErr.Error(), "nobody understands") {
			t.Errorf("whole list %v: %v (code %d)", whole, p.recvErr, proto.ExitCode(p.recvErr))
		}
	}
}
