package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	farend "github.com/empegsync/empegsync/pkg/rsync/server"
)

// openLog opens the file of --log-file. Without one the run goes on, and says
// so, as rsync's does (log.c:log_init).
func (r *rsyncRun) openLog() {
	name := r.opt.LogFile
	if name == "" {
		return
	}
	f, err := farend.OpenLog(name, farend.Operator(r.opt))
	if err != nil {
		fmt.Fprintln(r.err, farend.LogFailure(name, err))
		return
	}
	r.log = logformat.NewLines(f)
}

// logSummary adds to a log what came of the run (main.c:output_summary, log.c:log_exit).
func logSummary(l *logformat.Lines, s client.Summary, err error) {
	if l == nil {
		return
	}
	if s.Options.Info(options.InfoStats) > 0 {
		for line := range strings.SplitSeq(strings.TrimSpace(s.String()), "\n") {
			if line != "" {
				l.Add(line)
			}
		}
		return
	}
	if err == nil {
		l.Add(fmt.Sprintf("sent %d bytes  received %d bytes  total size %d", s.Stats.Written, s.Stats.Read, s.Stats.TotalSize))
	}
}

// buffered puts the buffer of --outbuf in front of the standard output. done
// writes what waits in it; it may be called more than once.
func buffered(out io.Writer, mode string) (w io.Writer, done func()) {
	if mode != "B" {
		return out, func() {} // each line goes out as it is made
	}
	b := &blockWriter{w: bufio.NewWriterSize(out, 4096)}
	return b, b.flush
}

// blockWriter is a buffer for several goroutines.
type blockWriter struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (b *blockWriter) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.Write(p)
}

func (b *blockWriter) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.w.Flush() // nobody is left to hear of it
}
