package transfer

import (
	"context"
	"os"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// The last name of a file, which is asked for where none is there, comes damaged,
// and by then it cannot be asked for again: the other names do not wait for that.
func TestOtherNamesOfAFileThatCannotBeAskedForAgain(t *testing.T) {
	for _, whole := range []bool{false, true} {
		p := newPair(t)
		p.opt.HardLinks, p.whole, p.corrupt = true, whole, []byte("precious")
		p.file(p.src+"/f1", "precious data", 0)
		if err := os.Link(p.src+"/f1", p.src+"/f2"); err != nil {
			t.Fatal(err)
		}
		p.onItem = func(e *filelist.Entry) {
			if e.Path() == "f2" {
				p.file(p.dst+"/f2/in the way", "", 0)
			}
		}
		p.run(context.Background())
		if proto.ExitCode(p.recvErr) != proto.ExitPartial || p.sendErr != nil {
			t.Errorf("whole list %v: receive: %v, send: %v", whole, p.recvErr, p.sendErr)
		}
		if got := p.content(p.dst + "/f1"); !whole && got != "precious data" {
			t.Errorf("f1 is %s", got)
		}
	}
}
