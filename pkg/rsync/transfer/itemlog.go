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

// ItemLog is the part of a server's [Observer] that logs: a line for each file
// that has come across, been deleted or, if the format can show it, changed
// otherwise (log.c:log_item). It is used where something is logged at all,
// which a dry run does not.
type ItemLog struct {
	Options *options.Options
	Format  logformat.Format
	// About is what all lines have in common: host, module, user.
	About logformat.Event
	// Prefix gives what stands before an entry's name in a full one.
	Prefix func(e *filelist.Entry) string
	// FileSum and ListSum are what the session has agreed on. Seeded says that
	// sums of files hash a seed as well, as old versions have it, and tell nothing.
	FileSum, ListSum checksum.Algorithm
	Seeded           bool
	// Items says that the session has itemized changes (protocol 29).
	Items bool
	// Write gets each line, and what it is about.
	Write func(line string, e *logformat.Event)
}

// deletion is the format of deletions where the log's shows neither what
// happens nor what is done (log.c:log_delete).
const deletion = "deleting %n"

// A name as -v shows it where changes are not itemized.
const named = "%n%L"

// about is what is known of an entry.
func (l *ItemLog) about(e *filelist.Entry, flags proto.Item) *logformat.Event {
	ev, name := l.About, e.Path()
	ev.Op, ev.Sending = logformat.Receive, l.Options.Sender
	if ev.Sending {
		ev.Op = logformat.Send
	}
	ev.Name, ev.Long = name, path.Join(l.Prefix(e), name)
	ev.Entry, ev.Flags = *e, flags
	ev.Times, ev.OwnerKept, ev.GroupKept = l.Options.Times, l.Options.Owner, l.Options.Group
	ev.Algorithm, ev.Now = l.FileSum, time.Now()
	if l.Options.Checksum {
		ev.Algorithm = l.ListSum
		if sum := e.Sum(); sum != "" {
			ev.Sum = []byte(sum)
		}
	}
	return &ev
}

func (l *ItemLog) write(f logformat.Format, e *logformat.Event) { l.Write(f.Line(e), e) }

// Passed implements [FileObserver].
func (l *ItemLog) Passed(e *filelist.Entry, flags proto.Item, p Passage) {
	ev := l.about(e, flags)
	ev.Sent, ev.Sums = p.Read, p.Written
	if ev.Sending {
		ev.Sent, ev.Sums = p.Written, p.Read
	}
	if !l.Seeded && !l.Options.Checksum {
		ev.Sum = p.Sum
	}
	l.write(l.Format, ev)
}

// Item implements [Observer] (log.c:maybe_log_item).
func (l *ItemLog) Item(e *filelist.Entry, flags proto.Item) {
	significant := flags&proto.ItemSignificant != 0
	switch {
	case flags&proto.ItemTransfer != 0:
	case l.itemizes():
		if significant || l.Options.LogFormat == "%i%I" {
			l.write(l.Format, l.about(e, flags))
		}
	case significant && (e.IsDir() || flags&proto.ItemLocalChange != 0) && !l.Options.Sender && l.Options.Info(options.InfoName) > 0:
		l.write(logformat.Parse(named), l.about(e, flags))
	}
}

func (l *ItemLog) itemizes() bool { return l.Items && l.Format.Has("i") }

// Linked implements [LinkObserver].
func (l *ItemLog) Linked(e *filelist.Entry, flags proto.Item, to string) {
	if l.itemizes() && flags&proto.ItemTransfer == 0 {
		ev := l.about(e, flags)
		ev.Link = to
		l.write(l.Format, ev)
	}
}

// Deleted implements [Observer].
func (l *ItemLog) Deleted(name string, mode uint32) {
	if l.Options.Sender {
		return // the client's
	}
	e := filelist.Entry{Mode: mode}
	e.SetPath(strings.TrimSuffix(name, "/"))
	ev := l.about(&e, 0)
	ev.Op, ev.OwnerKept = logformat.Delete, false
	if l.Format.Has("oi") {
		l.write(l.Format, ev)
		return
	}
	l.write(logformat.Parse(deletion), ev)
}
