package report

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// Handler passes records on to another handler and keeps errors and warnings.
func (b *Book) Handler(next slog.Handler) slog.Handler { return &handler{Handler: next, book: b} }

type handler struct {
	slog.Handler
	book  *Book
	attrs string
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		text := r.Message + h.attrs
		r.Attrs(func(a slog.Attr) bool {
			text += shown(a)
			return true
		})
		h.book.failed(r.Time, text)
	}
	return h.Handler.Handle(ctx, r)
}

// shown is an attribute as the page has it; stacks are for the log.
func shown(a slog.Attr) string {
	if a.Key == "stack" {
		return ""
	}
	return " " + a.Key + "=" + a.Value.String()
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	text := h.attrs
	for _, a := range attrs {
		text += shown(a)
	}
	return &handler{h.Handler.WithAttrs(attrs), h.book, text}
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.book, h.attrs}
}

// Lines passes on what workers write to their log, and keeps errors and warnings
// of it: lines of the daemon's text log or of its JSON log.
func (b *Book) Lines(next io.Writer) io.Writer { return &lines{book: b, next: next} }

// maxLine bounds what is kept of a line that has not ended.
const maxLine = 16 << 10

type lines struct {
	book *Book
	next io.Writer

	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		if text := complaint(line); text != "" {
			l.book.failed(l.book.now(), text)
		}
		l.rest = rest
	}
	if len(l.rest) > maxLine {
		l.rest = nil
	}
	l.rest = bytes.Clone(l.rest)
	l.mu.Unlock()
	return l.next.Write(p)
}

// complaint is what a line of the log complains about, "" for nothing.
func complaint(line []byte) string {
	if bytes.HasPrefix(line, []byte("{")) {
		var r struct{ Level, Msg, From, Module string }
		if json.Unmarshal(line, &r) != nil || r.Level != "WARN" && r.Level != "ERROR" {
			return ""
		}
		return r.Msg + " from=" + r.From + " module=" + r.Module
	}
	_, text, ok := strings.Cut(string(line), "] ") // behind date, time and process
	if !ok {
		return ""
	}
	for _, level := range []string{"error: ", "warning: "} {
		if rest, ok := strings.CutPrefix(text, level); ok {
			return rest
		}
	}
	return ""
}
