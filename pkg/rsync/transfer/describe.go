package transfer

import (
	"path"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Describer tells what is known of a file, for a line of a log or of --out-format.
type Describer struct {
	Options *options.Options
	// About is what all lines have in common: host, module, user.
	About logformat.Event
	// Below is where a receiving side's files are, as its lines name the place.
	Below string
	// FileSum and ListSum are what the session has agreed on. Seeded says that
	// sums of files hash a seed as well, as old versions have it, and tell nothing.
	FileSum, ListSum checksum.Algorithm
	Seeded           bool
	// LinksUntimed says that a receiving side is not known to set times on
	// symbolic links.
	LinksUntimed bool

	shown []string // a sending side's places, by source; nil on a receiving one
}

// Sources implements [SourcesObserver].
func (d *Describer) Sources(sources []Source) {
	d.shown = make([]string, 0, len(sources))
	for _, s := range sources {
		d.shown = append(d.shown, s.Shown)
	}
}

// Sends reports whether entries are this side's own files.
func (d *Describer) Sends() bool { return d.shown != nil }

// Event tells of an entry.
func (d *Describer) Event(e *filelist.Entry, flags proto.Item) *logformat.Event {
	ev := d.About
	ev.Op, ev.Sending = logformat.Receive, d.Sends()
	if ev.Sending {
		ev.Op = logformat.Send
	}
	ev.Name, ev.Long = e.Path(), d.long(e)
	ev.Entry, ev.Flags = *e, flags
	ev.Times = d.Options.Times && !(e.IsLink() && d.LinksUntimed && d.Sends())
	ev.OwnerKept, ev.GroupKept = d.Options.Owner, d.Options.Group
	ev.Algorithm, ev.Now = d.FileSum, time.Now()
	if d.Options.Checksum {
		ev.Algorithm = d.ListSum
		if sum := e.Sum(); sum != "" {
			ev.Sum = []byte(sum)
		}
	}
	return &ev
}

// Passed tells of an entry whose data have come across.
func (d *Describer) Passed(e *filelist.Entry, flags proto.Item, p Passage) *logformat.Event {
	ev := d.Event(e, flags)
	ev.Sent, ev.Sums = p.Read, p.Written
	if d.Sends() {
		ev.Sent, ev.Sums = p.Written, p.Read
	}
	if !d.Seeded && !d.Options.Checksum {
		ev.Sum = p.Sum
	}
	return ev
}

// Deleted tells of what was removed: a name below the place that receives.
func (d *Describer) Deleted(name string, mode uint32) *logformat.Event {
	e := filelist.Entry{Mode: mode}
	e.SetPath(strings.TrimSuffix(name, "/"))
	receiving := *d
	receiving.shown = nil
	ev := receiving.Event(&e, 0)
	ev.Op, ev.OwnerKept = logformat.Delete, false
	return ev
}

// long is an entry's name with the place that it is in (log.c:log_formatted, %f).
func (d *Describer) long(e *filelist.Entry) string {
	dir, name := d.Below, e.Path()
	if d.shown != nil {
		dir = d.shown[e.From]
	}
	switch {
	case dir == "" || dir == ".":
	case name == ".":
		name = dir + "/."
	default:
		name = path.Join(dir, name)
	}
	return strings.TrimPrefix(name, "/")
}
