package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Verified is what a second look at a snapshot has found.
type Verified struct {
	Files   int      // regular files whose sums were compared
	Changed []string // that are new or of another size or time at the source now
	Differ  []string // that are not, and yet hold something else
}

// verify reads both sides and compares sums.
func (r *run) verify(ctx context.Context) error {
	opt, err := r.transferOptions()
	if err != nil {
		return err
	}
	opt.DryRun, opt.Checksum, opt.Verbose, opt.Itemize, opt.Quiet = true, true, 0, 0, 1
	v := &verifier{Observer: &client.Printer{Out: r.Out, Err: r.Err, Options: opt}}
	st, err := r.copy(ctx, opt, r.folder, v)
	code := proto.ExitCode(err)
	if err != nil && code != proto.ExitVanished && (code != proto.ExitPartial || !r.AllowPartial) {
		return fmt.Errorf("read the snapshot again to verify it: %w", err)
	}
	v.Files = st.Files
	slices.Sort(v.Differ)
	slices.Sort(v.Changed)
	r.res.Verified = &v.Verified
	if n := len(v.Differ); n > 0 {
		return proto.Failf(proto.ExitPartial, "%d of %d files in the snapshot hold something else than at the source, with the same size and time (%s): "+
			"the snapshot is left unfinished; a run with --checksum fetches them again; look after the disks and the memory of both machines",
			n, v.Files, some(v.Differ))
	}
	return nil
}

// some names a few of many.
func some(names []string) string {
	const most = 5
	shown := make([]string, 0, most)
	for _, n := range names[:min(len(names), most)] {
		shown = append(shown, logformat.Escape(n))
	}
	text := strings.Join(shown, ", ")
	if len(names) > most {
		text += ", ..."
	}
	return text
}

// verifier collects what a comparison shows.
type verifier struct {
	transfer.Observer
	mu sync.Mutex
	Verified
}

// Item implements transfer.Observer.
func (v *verifier) Item(e *filelist.Entry, f proto.Item) {
	if !e.IsRegular() || f&proto.ItemTransfer == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if f&(proto.ItemNew|proto.ItemSize|proto.ItemTime) != 0 {
		v.Changed = append(v.Changed, e.Path())
		return
	}
	v.Differ = append(v.Differ, e.Path())
}
