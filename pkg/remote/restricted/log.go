package restricted

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// LogEntry is what a log tells of one session.
type LogEntry struct {
	Start   time.Time
	Took    time.Duration
	From    string // the client's address
	Command string // as the client has asked for it
	Result
	Err error
}

// Line is the entry as one line, with its end.
func (e *LogEntry) Line() string {
	way := "refused"
	if e.Options != nil {
		way = "push"
		if e.Options.Sender {
			way = "pull"
		}
	}
	paths := ""
	if e.Options != nil && e.Options.Secluded == options.Yes {
		paths = " paths=" + strconv.Quote(strings.Join(e.Options.Args, " ")) // the command does not tell
	}
	s := fmt.Sprintf("%s %s %s files=%d read=%d written=%d took=%s code=%d command=%s",
		e.Start.UTC().Format(time.RFC3339), e.From, way, e.Stats.Transferred, e.Stats.Read, e.Stats.Written,
		e.Took.Round(time.Millisecond), int(proto.ExitCode(e.Err)), strconv.Quote(e.Command)) + paths
	if e.Err != nil {
		s += " error=" + strconv.Quote(e.Err.Error())
	}
	return s + "\n"
}

// OneLine replaces what would break a line or steer a terminal.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}
