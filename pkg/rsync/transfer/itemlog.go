package transfer

import (
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
	Describer
	Format logformat.Format
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

func (l *ItemLog) write(f logformat.Format, e *logformat.Event) { l.Write(f.Line(e), e) }

// Passed implements [FileObserver].
func (l *ItemLog) Passed(e *filelist.Entry, flags proto.Item, p Passage) {
	l.write(l.Format, l.Describer.Passed(e, flags, p))
}

// Item implements [Observer] (log.c:maybe_log_item).
func (l *ItemLog) Item(e *filelist.Entry, flags proto.Item) {
	significant := flags&proto.ItemSignificant != 0
	switch {
	case flags&proto.ItemTransfer != 0:
	case l.itemizes():
		if significant || l.Options.LogFormat == "%i%I" {
			l.write(l.Format, l.Event(e, flags))
		}
	case significant && (e.IsDir() || flags&proto.ItemLocalChange != 0) && !l.Options.Sender && l.Options.Info(options.InfoName) > 0:
		l.write(logformat.Parse(named), l.Event(e, flags))
	}
}

func (l *ItemLog) itemizes() bool { return l.Items && l.Format.Has("i") }

// Linked implements [LinkObserver].
func (l *ItemLog) Linked(e *filelist.Entry, flags proto.Item, to string) {
	if l.itemizes() && flags&proto.ItemTransfer == 0 {
		ev := l.Event(e, flags)
		ev.Link = to
		l.write(l.Format, ev)
	}
}

// Deleted implements [Observer].
func (l *ItemLog) Deleted(name string, mode uint32) {
	if l.Options.Sender {
		return // the client's
	}
	format := l.Format
	if !format.Has("oi") {
		format = logformat.Parse(deletion)
	}
	l.write(format, l.Describer.Deleted(name, mode))
}
