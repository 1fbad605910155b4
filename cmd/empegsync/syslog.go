package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"
)

// facilities are the numbers of syslog's facilities (syslog.h), by the names that
// rsyncd.conf(5) lists.
func facility(name string) (int, bool) {
	n, ok := map[string]int{
		"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "security": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "cron": 9,
		"authpriv": 10, "ftp": 11, "local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
	}[strings.ToLower(name)]
	return n, ok
}

// Severities of syslog.
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// syslogFile takes the lines of a daemon's log, workers' included, and sends each
// as a message to the system's log, in the form of the C library.
type syslogFile struct {
	socket   string // "/dev/log"
	facility int
	tag      string
	spare    io.Writer // when nobody listens

	mu   sync.Mutex
	conn net.Conn
}

// ownHead is what the log's lines begin with: time and process.
var ownHead = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\d+)\] `)

// Write implements io.Writer.
func (s *syslogFile) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			continue
		}
		if err := s.send(s.message(line)); err != nil {
			fmt.Fprintln(s.spare, line)
		}
	}
	return len(p), nil
}

func (s *syslogFile) message(line string) string {
	tag := s.tag
	if m := ownHead.FindStringSubmatch(line); m != nil {
		line = line[len(m[0]):]
		tag += "[" + m[1] + "]"
	}
	severity := severityInfo
	switch {
	case strings.HasPrefix(line, "error: "):
		severity = severityError
	case strings.HasPrefix(line, "warning: "):
		severity = severityWarning
	}
	return fmt.Sprintf("<%d>%s %s: %s", s.facility<<3|severity, time.Now().Format(time.Stamp), tag, line)
}

// send sends a message; a log that was started anew is called again.
func (s *syslogFile) send(text string) error {
	for range 2 {
		if s.conn == nil {
			conn, err := net.Dial("unixgram", s.socket)
			if err != nil {
				return err
			}
			s.conn = conn
		}
		if err := s.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := io.WriteString(s.conn, text); err == nil {
			return nil
		}
		s.conn.Close()
		s.conn = nil
	}
	return errors.New("the system's log takes nothing")
}
