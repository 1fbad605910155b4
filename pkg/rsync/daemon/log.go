package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// LevelAccess is the level of the lines that C rsync's daemon writes, too: who
// came, what for, and what was moved. As text they stand alone, byte for byte
// as rsync's, so that programs that read its log understand them; the record's
// attributes, which say the same, are for other handlers.
const LevelAccess = slog.LevelInfo + 1

// maxLogLine bounds a line of the log, in bytes.
const maxLogLine = 8 * 1024

// logHandler writes records as lines in the manner of rsync's log file.
type logHandler struct {
	out    *logOutput
	attrs  string // rendered already, each with a space in front
	prefix string // of keys, from groups: "a.b."
}

// logOutput is where the handlers made from one another write.
type logOutput struct {
	mu sync.Mutex
	w  io.Writer
}

// NewLogHandler returns a handler that writes each record to w in one Write,
// as a line like those of rsync's daemon (log.c:logit):
//
//	2026/11/22 06:00:00 [1234] rsync on drive0/fids from=10.0.0.7 module=drive0
//
// Whatever strangers put into names, a record stays one line of printable
// text, of 8 KiB at most: control characters are escaped, values that hold
// more than letters are quoted. Debug records are left out. It is safe for
// concurrent use; it opens, rotates and closes nothing.
func NewLogHandler(w io.Writer) slog.Handler { return &logHandler{out: &logOutput{w: w}} }

// Enabled implements [slog.Handler].
func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements [slog.Handler].
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%d] ", r.Time.Format("2006/01/02 15:04:05"), os.Getpid())
	switch {
	case r.Level == LevelAccess:
		b.WriteString(visible(r.Message))
	default:
		h.own(&b, r)
	}
	line := b.String()
	if len(line) > maxLogLine-1 {
		line = line[:maxLogLine-4] + "..."
	}
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := io.WriteString(h.out.w, line+"\n")
	return err
}

// own writes a record of this program's own making.
func (h *logHandler) own(b *strings.Builder, r slog.Record) {
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString("error: ")
	case r.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	}
	b.WriteString(escape(r.Message))
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(b, h.prefix, a)
		return b.Len() < maxLogLine
	})
}

// visible shows control characters as rsync's log does (log.c:filtered_fwrite).
func visible(s string) string {
	control := func(c byte) bool { return c < ' ' && c != '\t' }
	var b strings.Builder
	for i := range len(s) {
		if control(s[i]) {
			fmt.Fprintf(&b, `\#%03o`, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		appendAttr(&b, h.prefix, a)
	}
	return &logHandler{h.out, b.String(), h.prefix}
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{h.out, h.attrs, h.prefix + name + "."}
}

// appendAttr writes " key=value", a group's members one by one.
func appendAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, m := range v.Group() {
			appendAttr(b, prefix, m)
		}
		return
	}
	if a.Key == "" && v.Any() == nil {
		return
	}
	b.WriteByte(' ')
	b.WriteString(quoted(prefix + a.Key))
	b.WriteByte('=')
	b.WriteString(quoted(v.String()))
}

// quoted returns s, in quotes if it could be mistaken for more than one word.
func quoted(s string) string {
	plain := s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '"' || r == '=' || r == '\\' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// escape makes s one line of printable text.
func escape(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// openLog makes the session write to the module's own log file, if it has one.
// The file is opened as the daemon's user. It is nil where the daemon's log
// serves the module, too.
func (c *session) openLog(m *conf.Module) *os.File {
	if m.LogFile == "" || m.LogFile == c.Config.Global.LogFile {
		return nil
	}
	f, err := operator(m).OpenFile(m.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		c.log.Error("cannot open the module's log file, so its lines go here", "err", err)
		return nil
	}
	lines := c.Lines
	if lines == nil {
		lines = NewLogHandler
	}
	c.log = slog.New(lines(f)).With("from", c.who.text, "module", m.Name)
	return f
}

// maxReports bounds how many of a client's messages one session may log.
const maxReports = 50

// logObserver writes what a client's side reports into the log.
type logObserver struct {
	*session
	reports atomic.Int32
}

// Listed implements [transfer.Observer].
func (o *logObserver) Listed(int, bool) {}

// Item implements [transfer.Observer].
func (o *logObserver) Item(*filelist.Entry, proto.Item) {}

// Data implements [transfer.Observer].
func (o *logObserver) Data(*filelist.Entry, int64) {}

// Deleted implements [transfer.Observer].
func (o *logObserver) Deleted(string, uint32) {}

// Message implements [transfer.Observer]: errors are logged, cut to a sane
// length and number.
func (o *logObserver) Message(tag proto.Tag, text string) {
	if tag != proto.TagError && tag != proto.TagErrorXfer && tag != proto.TagErrorSocket {
		return
	}
	switch n := o.reports.Add(1); {
	case n <= maxReports:
		o.log.Warn("the client reports: " + fmt.Sprintf("%.500q", text))
	case n == maxReports+1:
		o.log.Warn("the client reports more errors, which are left out")
	}
}
