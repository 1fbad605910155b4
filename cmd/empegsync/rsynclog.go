package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// runLog is the log file of one run under rsync's name; a nil one logs nothing.
type runLog struct {
	mu sync.Mutex
	f  *os.File
}

// openLog opens the file of --log-file. Without one the run goes on, and says
// so, as rsync's does (log.c:log_init).
func (r *rsyncRun) openLog() {
	name := r.opt.LogFile
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		fmt.Fprintf(r.err, "rsync: failed to open log-file %s: %v\nIgnoring \"log file\" setting.\n", client.Escape(name), err)
		return
	}
	r.log = &runLog{f: f}
}

// line adds a line with time and process (log.c:logit).
func (l *runLog) line(text string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// A log that cannot be written must not end the copying.
	_, _ = fmt.Fprintf(l.f, "%s [%d] %s\n", time.Now().Format("2006/01/02 15:04:05"), os.Getpid(), text)
}

// summary adds what came of the run (main.c:output_summary, log.c:log_exit).
func (l *runLog) summary(s client.Summary, err error) {
	if l == nil {
		return
	}
	if s.Options.Info(options.InfoStats) > 0 {
		for line := range strings.SplitSeq(strings.TrimSpace(s.String()), "\n") {
			if line != "" {
				l.line(line)
			}
		}
		return
	}
	if err == nil {
		l.line(fmt.Sprintf("sent %d bytes  received %d bytes  total size %d", s.Stats.Written, s.Stats.Read, s.Stats.TotalSize))
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
