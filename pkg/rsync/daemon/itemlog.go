package daemon

import (
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// itemLog is the observer of a module with "transfer logging": a line for each
// file that has come across, been deleted or, if the format can show it,
// changed otherwise (log.c:log_item).
type itemLog struct {
	logObserver
	served *served
	format logformat.Format
	prefix string // of names, below the module
	all    bool   // the format shows what happens, so that all items count
}

// deletion is the format of deletions where the module's shows neither what
// happens nor what is done (log.c:log_delete).
const deletion = "deleting %n"

// observe returns the observer of a transfer whose files are below prefix.
func (t *served) observe(prefix string) transfer.Observer {
	plain := &logObserver{session: t.session}
	if !t.module.TransferLogging || t.opt.DryRun {
		return plain
	}
	f := logformat.Parse(t.module.LogFormat)
	return &itemLog{logObserver: logObserver{session: t.session}, served: t, format: f, prefix: prefix, all: f.Has("i")}
}

// about is what is known of a file.
func (o *itemLog) about(e *filelist.Entry, flags proto.Item) *logformat.Event {
	t := o.served
	op, prefix := logformat.Receive, o.prefix
	if t.opt.Sender {
		op = logformat.Send
		prefix = t.prefixes[e.From]
	}
	name := e.Path()
	return &logformat.Event{
		Op: op, Host: t.who.name, Address: t.who.text, Module: t.module.Name, Path: t.module.Path, User: t.user,
		Name: name, Long: path.Join(prefix, name), Entry: *e, Flags: flags, SumSize: t.agreed.FileSum.Size(),
		Sending: t.opt.Sender, Times: t.opt.Times, GroupKept: t.opt.Group, Now: time.Now(),
	}
}

func (o *itemLog) write(e *logformat.Event) { o.line(o.format, e) }

// line writes an event in a format, and what it is for other handlers.
func (o *itemLog) line(f logformat.Format, e *logformat.Event) {
	o.event(f.Line(e), slog.String("event", "file"), slog.String("op", e.Op), slog.String("name", e.Long),
		slog.Int64("length", e.Entry.Size), slog.Int64("sent", e.Sent))
}

// Passed implements [transfer.FileObserver].
func (o *itemLog) Passed(e *filelist.Entry, flags proto.Item, p transfer.Passage) {
	ev := o.about(e, flags)
	ev.Sent, ev.Sums = p.Read, p.Written
	if ev.Sending {
		ev.Sent, ev.Sums = p.Written, p.Read
	}
	if o.served.agreed.Caps.VarInts { // older sums hash a seed as well
		ev.Sum = p.Sum
	}
	o.write(ev)
}

// Item implements [transfer.Observer].
func (o *itemLog) Item(e *filelist.Entry, flags proto.Item) {
	if o.all && flags&proto.ItemTransfer == 0 && flags&proto.ItemSignificant != 0 {
		o.write(o.about(e, flags))
	}
}

// Linked implements [transfer.LinkObserver].
func (o *itemLog) Linked(e *filelist.Entry, flags proto.Item, to string) {
	if o.all && flags&proto.ItemTransfer == 0 {
		ev := o.about(e, flags)
		ev.Link = to
		o.write(ev)
	}
}

// Deleted implements [transfer.Observer].
func (o *itemLog) Deleted(name string, mode uint32) {
	if o.served.opt.Sender {
		return // the client's
	}
	e := filelist.Entry{Mode: mode}
	e.SetPath(strings.TrimSuffix(name, "/"))
	ev := o.about(&e, 0)
	ev.Op, ev.Entry.UID, ev.Entry.GID = logformat.Delete, 0, 0
	if o.format.Has("oi") {
		o.write(ev)
		return
	}
	o.line(logformat.Parse(deletion), ev)
}
