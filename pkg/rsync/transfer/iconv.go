package transfer

import (
	"fmt"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// With --iconv names travel in UTF-8 and each side has them in its own character
// set. The two sort their lists by names that differ, so that an index on the wire
// stands for the order in which entries were sent, and here for the sorted one.

// sent returns what an index of this side's is on the wire.
func (c *common) sent(index int32) int32 {
	if c.Charset == nil || index < 0 {
		return index
	}
	if p, _ := c.parts.find(index); p != nil {
		return p.Sent(index)
	}
	return index
}

// place returns this side's index for one on the wire.
func (c *common) place(sent int32) int32 {
	if c.Charset == nil || sent < 0 {
		return sent
	}
	if p, _ := c.parts.find(sent); p != nil {
		return p.Place(sent)
	}
	return sent
}

// newList returns an empty list that begins at an index.
func (c *common) newList(start int32, parent *filelist.Entry) *filelist.List {
	return &filelist.List{Start: start, Parent: parent, KeepsOrder: c.Charset != nil}
}

// abroad returns an entry as the other side is to see it; false: it cannot be
// named there, which has been told (flist.c:send_file_name).
func (w *walker) abroad(e *filelist.Entry) (filelist.Entry, bool) {
	name, err := w.Charset.ToWire(e.Path())
	if err != nil {
		w.failFile("[sender] cannot convert filename: %s (%v)", e.Path(), err)
		return filelist.Entry{}, false
	}
	out := *e
	if e.IsLink() && w.opt.Links && w.Caps.SymlinkIconv {
		target, err := w.Charset.ToWire(e.Target())
		if err != nil {
			w.failFile("[sender] cannot convert symlink data for: %q (%v)", e.Path(), err)
			return filelist.Entry{}, false
		}
		out = *e.Clone()
		out.SetTarget(target)
	}
	out.SetPath(name)
	return out, true
}

// unnamed tells of what has come and cannot be called by its name here
// (flist.c:recv_file_entry). It is left out, and nothing is deleted.
func (r *receiver) unnamed(what filelist.Unnamed, name string, err error) {
	if what == filelist.UnnamedTarget {
		r.report(proto.TagErrorXfer, "[receiver] cannot convert symlink data for: %q (%v)", name, err)
		return
	}
	text := fmt.Sprintf("[receiver] cannot convert filename: %s (%v)", name, err)
	if r.Server && r.Tell == nil && r.message(proto.TagErrorXfer, []byte(text+"\n")) {
		r.xferErr.Store(true) // the name is as it came: in UTF-8
		if r.Log != nil {
			r.Log(text)
		}
		r.wake()
		return
	}
	r.reportText(proto.TagErrorXfer, text)
}

// converts reports whether the names of --files-from travel in UTF-8: with -s, as
// the other arguments do (compat.c: filesfrom_convert).
func (c *common) converts() bool { return c.Charset != nil && c.opt.Secluded == options.Yes }

// abroad returns names of --files-from as they travel. Bytes that cannot be
// converted stay, and will be missed at the other side.
func (r *receiver) abroad(names []string) []string {
	if names == nil {
		return nil
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = r.Charset.TextToWire(n)
	}
	return out
}
