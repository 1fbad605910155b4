package main

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The kernel's log.
const (
	kernelLogName = "/dev/kmsg"
	// The kernel takes ten records in five seconds from each opening of the
	// device, and drops the others (kernel/printk/printk.c:devkmsg_write).
	recordsAnOpening = 8
	// maxRecord is how long a record can be, in bytes; longer ones are refused.
	maxRecord = 900
)

// recordLog writes each line as a record of the kernel's log, and opens that
// anew before the kernel would begin to drop them.
type recordLog struct {
	open func() (io.WriteCloser, error)

	mu   sync.Mutex
	to   io.WriteCloser // nil until the first record
	left int            // records until the next opening
}

// Write implements io.Writer. It never fails: there is nobody else to tell.
func (l *recordLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.SplitSeq(string(p), "\n") {
		for line != "" {
			n := min(len(line), maxRecord)
			l.record(line[:n])
			line = line[n:]
		}
	}
	return len(p), nil
}

func (l *recordLog) record(text string) {
	if l.left == 0 {
		if to, err := l.open(); err == nil {
			if l.to != nil {
				l.to.Close()
			}
			l.to = to
		}
		l.left = recordsAnOpening
	}
	l.left--
	if l.to != nil {
		_, _ = io.WriteString(l.to, text+"\n")
	}
}

// recorded is s with what is said put into the kernel's log record by record, if
// that is where it goes.
func (s *streams) recorded() *streams {
	var st unix.Stat_t
	if unix.Fstat(int(os.Stderr.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != unix.Mkdev(1, 11) {
		return s
	}
	log := &recordLog{open: func() (io.WriteCloser, error) { return os.OpenFile(kernelLogName, os.O_WRONLY, 0) }}
	all := *s
	all.out, all.err = log, log
	return &all
}
