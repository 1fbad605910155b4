package logformat

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Lines writes the lines of a log file, each with its time and process
// (log.c:logit). It may be used from several goroutines; a nil one writes
// nothing.
type Lines struct {
	mu sync.Mutex
	w  io.Writer
}

// NewLines writes to w.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Add adds a line. A log that cannot be written ends nothing.
func (l *Lines) Add(text string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, "%s [%d] %s\n", time.Now().Format("2006/01/02 15:04:05"), os.Getpid(), text)
}
