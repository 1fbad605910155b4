package daemon

import (
	"log/slog"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// itemLog is the observer of a module with "transfer logging".
type itemLog struct {
	*logObserver
	*transfer.ItemLog
}

// observe returns the observer of a transfer; what is received is below a folder.
func (t *served) observe(below string) transfer.Observer {
	plain := &logObserver{session: t.session}
	if !t.module.TransferLogging || t.opt.DryRun {
		return plain
	}
	return &itemLog{plain, &transfer.ItemLog{
		Describer: transfer.Describer{
			Options: t.opt, Below: below, FileSum: t.agreed.FileSum, ListSum: t.agreed.ListSum, Seeded: !t.agreed.Caps.VarInts, LinksUntimed: !t.agreed.Caps.SymlinkTimes,
			About: logformat.Event{Host: t.who.name, Address: t.who.text, Module: t.module.Name, Path: t.module.Path, User: t.user},
		},
		Format: logformat.Parse(t.module.LogFormat), Items: t.agreed.Caps.ItemFlags,
		Write: func(line string, e *logformat.Event) {
			t.event(line, slog.String("event", "file"), slog.String("op", e.Op), slog.String("name", e.Long),
				slog.Int64("length", e.Entry.Size), slog.Int64("sent", e.Sent))
		},
	}}
}

// Item implements [transfer.Observer].
func (o *itemLog) Item(e *filelist.Entry, flags proto.Item) { o.ItemLog.Item(e, flags) }

// Deleted implements [transfer.Observer].
func (o *itemLog) Deleted(name string, mode uint32) { o.ItemLog.Deleted(name, mode) }
