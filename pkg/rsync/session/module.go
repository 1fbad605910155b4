package session

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Ask is what a client wants of a daemon once both have greeted.
type Ask struct {
	Module string // "" for the list of modules
	// Say gets the daemon's lines of text, control characters made visible.
	Say func(line string)
	// Answer gives what answers a challenge for this module, such as
	// [Login.Answer]; nil ends the session where one comes.
	Answer func(challenge string) (string, error)
	// Early, up to [MaxEarly] bytes, goes to the daemon's early exec.
	Early []byte
}

// MaxEarly is how many bytes of early input a daemon takes
// (clientserver.c:start_inband_exchange).
const MaxEarly = 5 * 1024

// AskModule asks, proves who asks where the daemon wants to know, and reads
// the daemon's lines up to its consent. A list ends the conversation: listed is
// then true (clientserver.c:start_inband_exchange).
func AskModule(r *wire.Reader, w *wire.Writer, ask Ask) (listed bool, err error) {
	module := ask.Module
	if strings.ContainsAny(module, "\n\x00") {
		return false, proto.Failf(proto.ExitSyntax, "the module name %q has a newline or NUL in it", clip(module))
	}
	early := ""
	if len(ask.Early) > 0 && module != "" {
		early = fmt.Sprintf("#early_input=%d\n%s", len(ask.Early), ask.Early)
	}
	if err := sendText(w, early+module+"\n"); err != nil {
		return false, fmt.Errorf("ask for module %q: %w", module, err)
	}
	for range maxMotd {
		line := r.Line('\n', maxLine, "daemon's answer")
		if r.Err() != nil {
			if module == "" && errors.Is(r.Err(), io.ErrUnexpectedEOF) {
				return true, nil // 2.3.2 and 2.4.6 end a list by closing
			}
			return false, broken(proto.ExitStartClient, fmt.Errorf("read the daemon's answer: %w", r.Err()))
		}
		challenge, wanted := strings.CutPrefix(line, marker+"AUTHREQD ")
		switch {
		case line == marker+"OK":
			return false, nil
		case line == marker+"EXIT":
			return true, nil
		case wanted:
			if err := ask.prove(w, challenge); err != nil {
				return false, err
			}
		case strings.HasPrefix(line, "@ERROR"):
			return false, proto.Failf(proto.ExitStartClient, "%s", printable(line))
		default:
			ask.Say(printable(line))
		}
	}
	return false, proto.Failf(proto.ExitStartClient, "the daemon sends more than %d lines before it consents", maxMotd)
}

// prove answers a challenge.
func (a Ask) prove(w *wire.Writer, challenge string) error {
	if a.Answer == nil {
		return proto.Failf(proto.ExitStartClient, "module %q asks for a password, and there is nobody to give one", a.Module)
	}
	answer, err := a.Answer(challenge)
	if err != nil {
		return err
	}
	if err := sendText(w, answer+"\n"); err != nil {
		return fmt.Errorf("answer the daemon's challenge: %w", err)
	}
	return nil
}

// Login is a user who proves to a daemon that he knows his password. The
// password itself never travels, nor is it part of any error.
type Login struct {
	Caps     proto.Caps
	Digests  string // what both sides have named, see [Greeting]
	User     string // "" for nobody, as rsync calls it
	Password string
}

// Answer returns the answer to a daemon's challenge: user and digest
// (authenticate.c:auth_client, compat.c:negotiate_daemon_auth).
func (l Login) Answer(challenge string) (string, error) {
	user := l.User
	if user == "" {
		user = "nobody"
	}
	if strings.ContainsAny(user, " \n\x00") {
		return "", proto.Failf(proto.ExitSyntax, "the user name %q has a space, newline or NUL in it", clip(user))
	}
	digest := defaultSum(l.Caps.DefaultSum)
	if l.Digests != "" {
		var err error
		if digest, err = checksum.NegotiateAuth(checksum.AuthList, l.Digests); err != nil {
			return "", proto.Fail(proto.ExitUnsupported, err)
		}
	}
	return user + " " + checksum.AuthResponse(digest, l.Password, challenge), nil
}
