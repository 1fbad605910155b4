package daemon

import (
	"io"
	"log/slog"
	"os"
)

// NewJSONHandler returns a handler that writes each record to w in one Write, as
// a JSON object on a line: time, level, msg, pid, and what else is known, such as
// from, module, and the numbers of a line of [LevelAccess], whose level reads
// ACCESS. Bytes of names that are no UTF-8 become U+FFFD. Debug records are left
// out. It is safe for concurrent use.
func NewJSONHandler(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: slog.LevelInfo,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if level, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && level == LevelAccess {
				a.Value = slog.StringValue("ACCESS")
			}
			return a
		},
	}).WithAttrs([]slog.Attr{slog.Int("pid", os.Getpid())})
}
