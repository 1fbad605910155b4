package transfer

import (
	"context"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// A file that cannot be put aside for the end of the run does not get its name in
// the end: what stands in its place there is something else.
func TestDelayedFileThatIsNotThere(t *testing.T) {
	p := newPair(t)
	p.opt.DelayUpdates, p.opt.Partial = true, true
	p.file(p.src+"/f", "new", 0)
	p.file(p.src+"/g", "new", 0)
	p.file(p.dst+"/.~tmp~/f/old", "something else", 0) // in the way of what is put aside
	p.run(context.Background())
	if proto.ExitCode(p.recvErr) != proto.ExitPartial || p.sendErr != nil {
		t.Errorf("receive: %v, send: %v", p.recvErr, p.sendErr)
	}
	if got, want := p.tree(p.dst), ".~tmp~ .~tmp~/f .~tmp~/f/old g"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if heard := strings.Join(p.heard, "\n"); strings.Count(heard, `rename`) != 1 {
		t.Errorf("%s", heard)
	}
}
