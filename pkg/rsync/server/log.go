package server

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// DefaultLogFormat is how a log that is not a daemon's has changes unless
// --log-file-format says otherwise (options.c:parse_arguments).
const DefaultLogFormat = "%i %n%L"

// OpenLog opens the file of --log-file, which grows at its end.
func OpenLog(name string, by rootfs.Operator) (*os.File, error) {
	return by.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// LogFailure is what is said where a log cannot be opened: the run goes on
// without (log.c:log_init).
func LogFailure(name string, err error) string {
	return fmt.Sprintf("rsync: failed to open log-file %s: %v\nIgnoring \"log file\" setting.", logformat.Escape(name), reason(err))
}

// openLog opens the log that the client wants us to keep. An error that has a
// code of its own ends the session; any other is told.
func (c *active) openLog() (done func(), err error) {
	done = func() {}
	if c.Options.LogFile == "" {
		return done, nil
	}
	f, err := c.places.Log(c.Options)
	var refusal *proto.Failure
	switch {
	case errors.As(err, &refusal):
		return done, err
	case err != nil:
		for line := range strings.SplitSeq(LogFailure(c.Options.LogFile, err), "\n") {
			c.tell(proto.TagError, line)
		}
		return done, nil
	}
	c.log = logformat.NewLines(f)
	return func() { _ = f.Close() }, nil // nobody is left to hear of it
}

// logs gives what logs the transfer's own messages, nil where nothing does.
func (c *active) logs() func(line string) {
	if c.log == nil {
		return nil
	}
	return c.note
}

// note adds what somebody is told to the log.
func (c *active) note(text string) { c.log.Add(logformat.Escape(text)) }

// logged is a session's observer where it keeps a log.
type logged struct {
	*active
	*transfer.ItemLog
}

// Item implements [transfer.Observer].
func (l *logged) Item(e *filelist.Entry, flags proto.Item) { l.ItemLog.Item(e, flags) }

// Deleted implements [transfer.Observer].
func (l *logged) Deleted(name string, mode uint32) { l.ItemLog.Deleted(name, mode) }

// observer is who is told of a transfer.
func (c *active) observer() transfer.Observer {
	if c.log == nil || c.Options.DryRun {
		return c
	}
	format := c.Options.LogFileFormat
	if format == "" {
		format = DefaultLogFormat
	}
	return &logged{c, &transfer.ItemLog{
		Describer: transfer.Describer{Options: c.Options, FileSum: c.a.FileSum, ListSum: c.a.ListSum, Seeded: !c.a.Caps.VarInts, LinksUntimed: !c.a.Caps.SymlinkTimes},
		Format:    logformat.ParseLocal(format), Items: c.a.Caps.ItemFlags,
		Write: func(line string, _ *logformat.Event) { c.note(line) },
	}}
}

// concluded logs how the session has ended (log.c:log_exit).
func (c *active) concluded(err error) {
	switch {
	case err == nil, partial(err) && c.Options.Sender:
		c.note(fmt.Sprintf("sent %d bytes  received %d bytes  total size %d", c.Stats.Written, c.Stats.Read, c.Stats.TotalSize))
	case !partial(err):
		c.note("rsync: " + err.Error())
		code := proto.ExitCode(err)
		c.note(fmt.Sprintf("rsync error: %v (code %d) [server]", code, int(code)))
	}
}
