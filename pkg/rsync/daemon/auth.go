package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	proc "github.com/empegsync/empegsync/pkg/rsync/session"
)

const (
	// maxAnswer bounds the line with a user's name and proof, in bytes.
	maxAnswer = 1024
	// maxSecrets bounds a file of passwords, in bytes.
	maxSecrets = 1 << 20
)

// login asks for a name and the proof of its password where the module wants
// that, and returns the name; ok is false if the client has been turned away.
// The module's "read only" becomes what the rule for this user says.
// // authenticate.c:auth_server
func (c *session) login(ctx context.Context, m *conf.Module) (name string, ok bool, err error) {
	rules := m.Auths()
	if strings.TrimSpace(m.AuthUsers) == "" {
		return "", true, nil
	}
	fail := func(format string, args ...any) (string, bool, error) {
		c.note("auth failed on module %s from %s%s", m.Name, c.who.String(), fmt.Sprintf(format, args...))
		return "", false, c.refuse("auth failed on module %s", m.Name)
	}
	digest, err := proc.AuthDigest(c.caps, c.digests, checksum.AuthList)
	if err != nil {
		c.log.Warn(err.Error())
		return "", false, c.refuse("your client does not support one of our daemon-auth checksums: %s", checksum.AuthList)
	}
	if why := tooWeak(digest, m.AuthDigest, c.digests != ""); why != "" {
		return fail(": %s", why)
	}
	if !c.backoff.wait(ctx, c.who.origin(), c.LoginPause, c.until) {
		return fail(": too many failed logins from there")
	}
	challenge := newChallenge(digest)
	if _, err := fmt.Fprintf(c.w, "@RSYNCD: AUTHREQD %s\n", challenge); err != nil {
		return "", false, err
	}
	if err := c.w.Flush(); err != nil {
		return "", false, err
	}
	answer := c.r.Line('\n', maxAnswer, "answer to the challenge")
	if c.r.Err() != nil {
		return "", false, fmt.Errorf("read the user's name and proof: %w", c.r.Err())
	}
	name, proof, two := strings.Cut(answer, " ")
	if !two {
		c.backoff.failed(c.who.origin())
		return fail(": invalid challenge response")
	}
	why, err := c.prove(m, rules, name, proof, func(secret string) string {
		return checksum.AuthResponse(digest, secret, challenge)
	})
	if err != nil {
		c.note("%v", err)
	}
	if why != "" {
		c.backoff.failed(c.who.origin())
		return fail(" for %s: %s", name, why)
	}
	c.backoff.passed(c.who.origin())
	return name, true, nil
}

// tooWeak says why a digest must not prove a password, "" if it may. MD4 is
// taken from clients whose version knows no other, and from those that choose
// it only where the administrator has named it.
func tooWeak(a checksum.Algorithm, least string, chosen bool) string {
	name := a.String()
	strength := func(digest string) int { // less is stronger
		for i, n := range strings.Fields(checksum.AuthList) {
			if strings.EqualFold(n, digest) {
				return i
			}
		}
		return -1
	}
	if least == "" {
		if chosen && name == "md4" {
			return "negotiated auth digest md4 is allowed by 'auth digest = md4' only"
		}
		return ""
	}
	switch floor := strength(least); {
	case floor < 0:
		return fmt.Sprintf("the configured 'auth digest = %s' is not a supported digest on this build", least)
	case strength(name) > floor:
		return fmt.Sprintf("negotiated auth digest %s is weaker than the required 'auth digest = %s'", name, least)
	}
	return ""
}

// newChallenge returns as much chance as the digest is long, in base64.
func newChallenge(a checksum.Algorithm) string {
	b := make([]byte, a.Size())
	_, _ = rand.Read(b) // never fails
	return base64.RawStdEncoding.EncodeToString(b)
}

// prove holds a login against the rules and the passwords and says what is
// wrong with it, "" for nothing; err is what is wrong with the file.
func (c *session) prove(m *conf.Module, rules []string, name, proof string, hash func(secret string) string) (why string, err error) {
	rule, group, found := matchAuth(rules, name, groupNames)
	if !found {
		_ = hash(name) // a name that is not there takes as long as another
		return "no matching rule", nil
	}
	switch rule {
	case "deny":
		return "denied by rule", nil
	case "ro":
		m.ReadOnly = true
	case "rw":
		m.ReadOnly = false
	}
	text, why, err := readSecrets(m)
	if why != "" {
		return why, err
	}
	defer clear(text)
	return checkSecret(text, name, group, proof, hash), nil
}

// matchAuth finds the first rule for a user: its option ("deny", "ro", "rw" or
// "") and, if it names a group, which of the user's it has met.
func matchAuth(rules []string, name string, groupsOf func(string) []string) (option, group string, found bool) {
	var groups []string
	asked := false
	for _, r := range rules {
		pattern, opt, _ := strings.Cut(r, ":")
		opt = authOption(opt)
		of, isGroup := strings.CutPrefix(pattern, "@")
		if !isGroup {
			if filter.Glob(pattern, name) {
				return opt, "", true
			}
			continue
		}
		if !asked {
			groups, asked = groupsOf(name), true
		}
		for _, g := range groups {
			if filter.Glob(of, g) {
				return opt, g, true
			}
		}
	}
	return "", "", false
}

// authOption is the meaning of what follows a rule's colon, by its first
// letters as C rsync reads it; what is unknown denies.
func authOption(opt string) string {
	switch lower := strings.ToLower(opt); {
	case lower == "":
		return ""
	case strings.HasPrefix(lower, "ro"):
		return "ro"
	case strings.HasPrefix(lower, "rw"):
		return "rw"
	}
	return "deny"
}

// groupNames returns the groups of a user of this system, none for others.
func groupNames(name string) []string {
	u, err := user.Lookup(name)
	if err != nil {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var names []string
	for _, id := range ids {
		if g, err := user.LookupGroupId(id); err == nil {
			names = append(names, g.Name)
		}
	}
	return names
}

// readSecrets reads a module's file of passwords. // authenticate.c:check_secret
func readSecrets(m *conf.Module) (text []byte, why string, err error) {
	if m.SecretsFile == "" {
		return nil, "no secrets file", nil
	}
	f, err := rootfs.Operator{}.OpenFile(m.SecretsFile, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "no secrets file", err
	}
	defer f.Close()
	if err := checkSecretsFile(f, m.StrictModes); err != nil {
		return nil, "ignoring secrets file", err
	}
	text, err = io.ReadAll(io.LimitReader(f, maxSecrets+1))
	if err == nil && len(text) > maxSecrets {
		err = fmt.Errorf("the secrets file is larger than %d bytes", maxSecrets)
	}
	if err != nil {
		return nil, "ignoring secrets file", err
	}
	return text, "", nil
}

// checkSecretsFile refuses a file of passwords that others can get at.
func checkSecretsFile(f *os.File, strict bool) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return errors.New("the secrets file is no regular file")
	case !strict:
		return nil
	case info.Mode()&0o006 != 0:
		return errors.New("secrets file must not be other-accessible (see strict modes option)")
	case os.Geteuid() == 0 && ok && st.Uid != 0:
		return errors.New("secrets file must be owned by root when running as root (see strict modes)")
	}
	return nil
}

// checkSecret looks for the passwords of a user and a group, the first line of
// each, and says what is wrong with the proof.
func checkSecret(text []byte, name, group, proof string, hash func(secret string) string) string {
	result := "secret not found"
	heads := [][]byte{[]byte(name + ":")}
	if group != "" {
		heads = append(heads, []byte("@"+group+":"))
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		for i, h := range heads {
			if h == nil || !bytes.HasPrefix(line, h) {
				continue
			}
			heads[i] = nil
			if subtle.ConstantTimeCompare([]byte(hash(string(line[len(h):]))), []byte(proof)) == 1 {
				return ""
			}
			result = "password mismatch"
		}
	}
	if result == "secret not found" {
		_ = hash(name) // takes as long as a mismatch
	}
	return result
}
