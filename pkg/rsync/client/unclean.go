package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// statusNotFound is how a shell ends that has not found a command.
const statusNotFound = 127

// diagnose says what may be behind first bytes that are no version. status is
// how the remote shell ended.
func diagnose(u *session.UncleanError, shell string, status int, err error) error {
	if len(u.Text) == 0 {
		return silent(u, shell, status, err)
	}
	text := "protocol version mismatch -- is your shell clean?\n" + meaning(u.Text)
	return &proto.Failure{Code: proto.ExitProtocol, Err: errors.New(text)}
}

// silent explains a shell that ends without a word.
func silent(u *session.UncleanError, shell string, status int, err error) error {
	code := max(proto.ExitCode(err), proto.Exit(status))
	text := "connection unexpectedly closed (0 bytes received so far)"
	switch {
	case status == statusNotFound:
		text += "\nThere is no rsync where the remote shell looks for it: install it there, or say where it is with --rsync-path=PROGRAM."
	case status != 0:
		text += fmt.Sprintf("\n%s ended with status %d; what it has to say stands above.", shell, status)
	case code == proto.ExitTimeout || code == proto.ExitSignal:
		text = u.Error()
	}
	return &proto.Failure{Code: code, Err: errors.New(text)}
}

// meaning reads the first bytes for people.
func meaning(p []byte) string {
	said := fmt.Sprintf("The other side began with %q", p[:min(len(p), 200)])
	if len(p) > 200 {
		said += "..."
	}
	if len(p) >= 4 {
		if n := binary.LittleEndian.Uint32(p); n > 0 && n < 1<<16 && !proto.IsVersion(n) {
			return fmt.Sprintf("The other side speaks version %d, this one %s: try --protocol=NUM with a number that both speak.", n, proto.VersionRange())
		}
	}
	switch {
	case bytes.HasPrefix(p, []byte("@RSY")):
		return said + ".\nThat is a daemon's greeting: write two colons, HOST::MODULE/PATH, and keep -e."
	case bytes.Contains(p, []byte("\r\n")) || bytes.Contains(p, []byte{'\r', 0}):
		return said + ".\nThe line ends are those of a terminal: do not let the remote shell make one (ssh -T, not -t; RequestTTY no)."
	case strings.Contains(string(p), "not available") || strings.Contains(string(p), "nologin"):
		return said + ".\nThat account has no shell to log in with: give it one, or use another account."
	}
	return said + ".\nSomething prints that at each login: look in .bashrc, .profile, /etc/profile and ~/.ssh/rc there. " +
		"\"ssh HOST true\" must print nothing."
}
