package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// Answer is what came back from a remote shell in place of what was expected.
type Answer struct {
	Out     []byte // the beginning of its standard output
	Err     []byte // the end of its standard error
	Status  int    // its exit status, 128 and more for a signal
	Program string // the word that was to be run there, "" for rsync
}

// Cause is what is behind an unexpected [Answer].
type Cause string

// The causes.
const (
	CauseDaemon      Cause = "daemon"      // a forced command is a daemon
	CauseRestricted  Cause = "restricted"  // a forced command such as rrsync has refused
	CauseNoLogin     Cause = "no login"    // the account has no shell, or nobody may log in
	CauseTerminal    Cause = "terminal"    // a terminal is in between
	CauseVersion     Cause = "version"     // a version that this program does not speak
	CauseText        Cause = "text"        // something prints at each login
	CauseMissing     Cause = "missing"     // the program is not in the remote path
	CauseWrongPath   Cause = "wrong path"  // the program is not where it was said to be
	CauseKey         Cause = "key"         // no key is accepted
	CauseHostKey     Cause = "host key"    // the host's key is not known, or another one
	CauseUnreachable Cause = "unreachable" // no connection
	CauseSilence     Cause = "silence"     // nothing that tells more
)

// Explanation says what is wrong in a sentence, and what to change and where.
type Explanation struct {
	Cause     Cause
	Says, Fix string
}

// statusNotFound and statusNotRun are how a shell ends that has not found a
// command, or could not run it; statusSSH is ssh's own.
const (
	statusNotRun   = 126
	statusNotFound = 127
	statusSSH      = 255
)

// Explain reads an answer for people. It is one table for transfers that die at
// the handshake and for whoever looks before one. Where Out is the beginning of a
// sound session, what it says is about what follows.
func Explain(a Answer) Explanation {
	for _, look := range []func(Answer) (Explanation, bool){daemonAnswer, restricted, noLogin, terminalAnswer, versionAnswer} {
		if e, ok := look(a); ok {
			return e
		}
	}
	if len(a.Out) > 0 {
		return Explanation{CauseText, "something prints at each login: " + quoted(a.Out),
			"look in .bashrc, .profile, /etc/profile and ~/.ssh/rc there, and let it print only to a terminal " +
				"(case $- in *i*) ... ;; esac); \"ssh HOST true\" must print nothing"}
	}
	return unsaid(a)
}

func daemonAnswer(a Answer) (Explanation, bool) {
	if !bytes.Contains(a.Out, []byte("@RSYNCD:")) && !bytes.HasPrefix(a.Out, []byte("@RSY")) {
		return Explanation{}, false
	}
	return Explanation{CauseDaemon, "that is a daemon's greeting, from the command= of this key in authorized_keys there: " + quoted(a.Out),
		"write two colons, HOST::MODULE/PATH, and keep -e; or change command= in ~/.ssh/authorized_keys there"}, true
}

// restricted knows rrsync's refusals, and the like of this program's.
func restricted(a Answer) (Explanation, bool) {
	if !bytes.Contains(a.Err, []byte("rrsync")) && !bytes.Contains(a.Out, []byte("rrsync")) {
		return Explanation{}, false
	}
	text := a.Err
	if len(text) == 0 {
		text = a.Out
	}
	return Explanation{CauseRestricted, "the key's forced command has refused: " + lastLine(text),
		"stay within what it allows, with paths below its folder; or change command=\"rrsync ...\" in ~/.ssh/authorized_keys there"}, true
}

func noLogin(a Answer) (Explanation, bool) {
	text := string(a.Out) + string(a.Err)
	switch {
	case strings.Contains(text, "not permitted to log in"):
		return Explanation{CauseNoLogin, "nobody but root may log in there now: " + lastLine([]byte(text)), "wait until it has started, or remove /run/nologin or /etc/nologin there"}, true
	case strings.Contains(text, "account is currently not available") || strings.Contains(text, "nologin"):
		return Explanation{CauseNoLogin, "the account has no shell to log in with: " + quoted(append(a.Out, a.Err...)),
			"give it one there (chsh -s /bin/sh USER, the last field of its line in /etc/passwd), or use another account"}, true
	}
	return Explanation{}, false
}

// terminalAnswer knows a terminal by its line ends, or by the echo of the version
// that this side has sent: NUL bytes come back as ^@.
func terminalAnswer(a Answer) (Explanation, bool) {
	if !bytes.Contains(a.Out, []byte("\r\n")) && !bytes.Contains(a.Out, []byte{'\r', 0}) && !bytes.Contains(a.Out, []byte("^@^@")) {
		return Explanation{}, false
	}
	return Explanation{CauseTerminal, "a terminal is in between, which changes what goes through (the remote shell was made to open one): " + quoted(a.Out),
		"take -t out of the remote shell's command, or add -T (ssh -T); set \"RequestTTY no\" for this host in ~/.ssh/config here"}, true
}

func versionAnswer(a Answer) (Explanation, bool) {
	if len(a.Out) < 4 {
		return Explanation{}, false
	}
	n := binary.LittleEndian.Uint32(a.Out)
	if n == 0 || n >= 1<<16 || proto.IsVersion(n) {
		return Explanation{}, false
	}
	return Explanation{CauseVersion, fmt.Sprintf("the other side speaks version %d, this one %s", n, proto.VersionRange()),
		"try --protocol=NUM with a number that both speak"}, true
}

// unsaid explains a shell that has printed nothing.
func unsaid(a Answer) Explanation {
	said := string(a.Err)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	program := a.Program
	if program == "" {
		program = "rsync"
	}
	switch {
	case a.Status == statusNotFound || a.Status == statusNotRun:
		if strings.Contains(program, "/") {
			return Explanation{CauseWrongPath, fmt.Sprintf("there is no program that can be run at %s there", program),
				"say where it is with --rsync-path=PROGRAM (on that machine: command -v rsync)"}
		}
		return Explanation{CauseMissing, fmt.Sprintf("there is no %s where the remote shell looks for it", path.Base(program)),
			"install it there, or say where it is with --rsync-path=PROGRAM"}
	case a.Status != statusSSH:
	case has("Permission denied"):
		return Explanation{CauseKey, "the host accepts no key of yours: " + lastLine(a.Err),
			"add your public key to ~/.ssh/authorized_keys there, and name the private one: -e \"ssh -i KEY\""}
	case has("Host key verification failed", "REMOTE HOST IDENTIFICATION"):
		return Explanation{CauseHostKey, "the host's key is not the one in ~/.ssh/known_hosts here, or there is none: " + lastLine(a.Err),
			"connect once by hand with ssh and compare the key; ssh-keygen -R HOST forgets an old one"}
	case has("Could not resolve", "Connection refused", "timed out", "No route to host", "unreachable"):
		return Explanation{CauseUnreachable, "no connection: " + lastLine(a.Err), "check the name, the port (-e \"ssh -p PORT\") and that sshd runs there"}
	}
	text := fmt.Sprintf("the other side ended with status %d and without a word", a.Status)
	if len(bytes.TrimSpace(a.Err)) > 0 {
		text = fmt.Sprintf("the other side ended with status %d: %s", a.Status, lastLine(a.Err))
	}
	return Explanation{CauseSilence, text, "try the same remote shell by hand: ssh HOST true"}
}

// mostQuoted is how much of an answer is shown, in bytes.
const mostQuoted = 200

func quoted(p []byte) string {
	if len(p) > mostQuoted {
		return fmt.Sprintf("%q...", p[:mostQuoted])
	}
	return fmt.Sprintf("%q", p)
}

// lastLine is the last line of a text that says anything, fit to be shown.
func lastLine(p []byte) string {
	text := strings.TrimSpace(string(p))
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return logformat.Escape(text[:min(len(text), 2*mostQuoted)])
}

// diagnose says what may be behind first bytes that are no version.
func diagnose(u *session.UncleanError, a Answer, shell string, err error) error {
	a.Out = u.Text
	if len(u.Text) == 0 {
		return silent(u, a, shell, err)
	}
	e := Explain(a)
	text := fmt.Sprintf("protocol version mismatch -- is your shell clean?\n%s.\n%s.", sentence(e.Says), sentence(e.Fix))
	return &proto.Failure{Code: proto.ExitProtocol, Err: errors.New(text)}
}

// silent explains a shell that ends without a word.
func silent(u *session.UncleanError, a Answer, shell string, err error) error {
	code := max(proto.ExitCode(err), proto.Exit(a.Status))
	text := "connection unexpectedly closed (0 bytes received so far)"
	switch e := Explain(a); {
	case e.Cause != CauseSilence:
		text += fmt.Sprintf("\n%s.\n%s.", sentence(e.Says), sentence(e.Fix))
	case a.Status != 0:
		text += fmt.Sprintf("\n%s ended with status %d; what it has to say stands above.", shell, a.Status)
	case code == proto.ExitTimeout || code == proto.ExitSignal:
		text = u.Error()
	}
	return &proto.Failure{Code: code, Err: errors.New(text)}
}

// echoed adds to an error that a terminal was in between, if the beginning of
// what came shows it: a version can come through one unharmed.
func echoed(first []byte, err error) error {
	if err == nil || !bytes.Contains(first[:min(len(first), 32)], []byte("^@^@")) {
		return err
	}
	e, _ := terminalAnswer(Answer{Out: first})
	text := fmt.Sprintf("%v\n%s.\n%s.", err, sentence(e.Says), sentence(e.Fix))
	return &proto.Failure{Code: proto.ExitProtocol, Err: errors.New(text)}
}

// sentence begins with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
