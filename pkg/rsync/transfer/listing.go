package transfer

import (
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// listing makes of the receiving side one that shows what it hears of and leaves
// everything as it is, if that is what is asked for
// (generator.c:list_file_entry).
func (r *receiver) listing() {
	if r.opt.ListOnly == options.ListNo {
		return
	}
	opt := *r.opt
	opt.DryRun, opt.OnlyBatch = true, false
	r.opt, r.void = &opt, true
	if r.show = r.Show; r.show == nil {
		r.show = func(e *filelist.Entry) {
			r.report(proto.TagInfo, "%s", logformat.ListLine(e, opt.HumanReadable, opt.Links, time.Local))
		}
	}
}
