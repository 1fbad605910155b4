package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// Secrets says where the name and the password for a daemon come from.
type Secrets struct {
	// Env looks a variable of the environment up; nil for an empty one.
	Env func(name string) (string, bool)
	// Stdin is what --password-file=- reads; nil is empty.
	Stdin io.Reader
	// Ask asks whoever sits at the terminal; nil: nobody does.
	Ask func() (string, error)
}

func (s Secrets) env(name string) (string, bool) {
	if s.Env == nil {
		return "", false
	}
	return s.Env(name)
}

// user is the name to prove: that of the place, or of who runs this.
func (s Secrets) user(r Remote) string {
	for _, name := range []string{"USER", "LOGNAME"} {
		if r.User == "" {
			r.User, _ = s.env(name)
		}
	}
	return r.User
}

// password finds the password: in the file, in the environment, or by asking
// (authenticate.c:auth_client).
func (s Secrets) password(file string, by rootfs.Operator) (string, error) {
	if file != "" {
		return s.fromFile(file, by)
	}
	if p, ok := s.env("RSYNC_PASSWORD"); ok {
		return p, nil
	}
	if s.Ask == nil {
		return "", proto.Failf(proto.ExitStartClient, "the daemon asks for a password: give it with --password-file or in RSYNC_PASSWORD")
	}
	p, err := s.Ask()
	return p, proto.Fail(proto.ExitStartClient, err)
}

// maxPassword bounds what is read for a password, in bytes.
const maxPassword = 1024

// fromFile takes the first line that is not empty (authenticate.c:getpassf).
// What is wrong with the file is said, never what stands in it.
func (s Secrets) fromFile(file string, by rootfs.Operator) (string, error) {
	var (
		text []byte
		err  error
	)
	if file == "-" {
		if s.Stdin != nil {
			text, err = io.ReadAll(io.LimitReader(s.Stdin, maxPassword))
		}
	} else {
		text, err = readSecret(file, by)
	}
	if err != nil {
		return "", proto.Fail(proto.ExitSyntax, err)
	}
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 }) {
		return string(line), nil
	}
	return "", proto.Failf(proto.ExitSyntax, "ERROR: failed to read a password from %s", file)
}

// readSecret reads a file that nobody but its owner and group may see.
func readSecret(file string, by rootfs.Operator) ([]byte, error) {
	f, err := by.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("could not open password file %s: %w", file, reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("could not look at password file %s: %w", file, reason(err))
	}
	if err := checkSecret(info, os.Geteuid()); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxPassword))
}

// checkSecret refuses a password that others could read or put there. us is
// who runs this.
func checkSecret(info fs.FileInfo, us int) error {
	if info.Mode().Perm()&0o006 != 0 {
		return errors.New("ERROR: password file must not be other-accessible")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && us == 0 && st.Uid != 0 {
		return errors.New("ERROR: password file must be owned by root when running as root")
	}
	return nil
}

// ask is what a daemon is asked for.
func (c *Client) ask(r Remote, caps proto.Caps, digests string) (session.Ask, error) {
	a := session.Ask{Module: r.Module, Say: func(line string) {
		if c.Say != nil && c.Options.Motd.Or(true) {
			c.Say(line)
		}
	}}
	a.Answer = func(challenge string) (string, error) {
		password, err := c.Secrets.password(c.Options.PasswordFile, server.Operator(c.Options))
		if err != nil {
			return "", err
		}
		l := session.Login{Caps: caps, Digests: digests, User: c.Secrets.user(r), Password: password}
		return l.Answer(challenge)
	}
	var err error
	if file := c.Options.EarlyInput; file != "" && r.Module != "" {
		a.Early, err = readEarly(file, server.Operator(c.Options))
	}
	return a, err
}

// readEarly reads what a daemon's early exec gets.
func readEarly(file string, by rootfs.Operator) ([]byte, error) {
	f, err := by.Open(file)
	if err != nil {
		return nil, proto.Failf(proto.ExitStartClient, "failed to open %s: %w", file, reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, session.MaxEarly+1))
	switch {
	case err != nil:
		return nil, proto.Failf(proto.ExitStartClient, "read %s: %w", file, reason(err))
	case len(text) > session.MaxEarly:
		return nil, proto.Failf(proto.ExitStartClient, "%s is > %d bytes.", strings.TrimSpace(file), session.MaxEarly)
	}
	return text, nil
}
