package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

func TestMatchAuth(t *testing.T) {
	groups := map[string][]string{"gus": {"users", "guest"}, "ada": {"admins", "Some Group"}}
	rules := (&conf.Module{AuthUsers: ",joe:deny,@guest:deny,admin:rw,@Some G*:RO,[a-s]*,*:x"}).Auths()
	for name, want := range map[string]string{
		"joe": "deny  true", "gus": "deny guest true", "admin": "rw  true", "ada": "ro Some Group true", "sam": "  true", "tom": "deny  true",
	} {
		opt, group, found := matchAuth(rules, name, func(n string) []string { return groups[n] })
		if got := fmt.Sprint(opt, " ", group, " ", found); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, _, found := matchAuth([]string{"@none", "a/b"}, "x", func(string) []string { return nil }); found {
		t.Error("matched by no rule")
	}
}

func TestCheckSecret(t *testing.T) {
	hash := func(secret string) string { return "<" + secret + ">" }
	const text = "#c:x\njoe:one\r\njoe:two\n@g:group\n@g:second\nempty:\ncolon:a:b\njoe2:x"
	for _, tt := range []struct{ name, group, proof, want string }{
		{"joe", "", "<one>", ""},
		{"joe", "", "<two>", "password mismatch"},
		{"joe", "g", "<group>", ""},
		{"joe", "g", "<one>", ""},
		{"joe", "g", "<second>", "password mismatch"},
		{"joe", "", "<group>", "password mismatch"},
		{"@g", "", "<x>", "password mismatch"}, // its secret is no use: rules with @ name groups
		{"#c", "", "<x>", "secret not found"},
		{"jo", "", "<one>", "secret not found"},
		{"empty", "", "<>", ""},
		{"colon", "", "<a:b>", ""},
		{"joe2", "", "<x>", ""},
	} {
		if got := checkSecret([]byte(text), tt.name, tt.group, tt.proof, hash); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// TestSecretsFile: passwords come from a file that others cannot get at, and from
// nothing else that has its name.
func TestSecretsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secrets")
	for _, tt := range []struct {
		what        string
		mode        os.FileMode
		size, owner int
		strict, lax bool // whether it is read
	}{
		{"for the owner", 0o600, 5, 0, true, true},
		{"for a group", 0o640, 5, 0, true, true},
		{"read by others", 0o604, 5, 0, false, true},
		{"written by others", 0o602, 5, 0, false, true},
		{"somebody else's", 0o600, 5, 65534, false, true},
		{"as large as may be", 0o600, maxSecrets, 0, true, true},
		{"too large", 0o600, maxSecrets + 1, 0, false, false},
		{"a folder", 0o700 | os.ModeDir, 0, 0, false, false},
		{"a fifo", 0o600 | os.ModeNamedPipe, 0, 0, false, false},
	} {
		if tt.owner != 0 && os.Geteuid() != 0 {
			continue // cannot be made, and then all files are one's own
		}
		var err error
		switch tt.mode.Type() {
		case os.ModeDir:
			err = os.Mkdir(name, 0o700)
		case os.ModeNamedPipe:
			err = syscall.Mkfifo(name, 0o600)
		default:
			err = os.WriteFile(name, make([]byte, tt.size), 0o600)
		}
		if err = errors.Join(err, os.Chmod(name, tt.mode.Perm())); tt.owner != 0 {
			err = errors.Join(err, os.Chown(name, tt.owner, -1))
		}
		if err != nil {
			t.Fatal(err)
		}
		for strict, want := range map[bool]bool{true: tt.strict, false: tt.lax} {
			text, why, err := readSecrets(&conf.Module{SecretsFile: name, StrictModes: strict})
			if got := why == "" && err == nil; got != want || got && len(text) != tt.size {
				t.Errorf("%s, strict modes %v: %d bytes, %q, %v", tt.what, strict, len(text), why, err)
			}
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTooWeak(t *testing.T) {
	for _, tt := range []struct {
		digest checksum.Algorithm
		least  string
		chosen bool
		ok     bool
	}{
		{checksum.MD4, "", true, false}, {checksum.MD4, "md4", true, true}, {checksum.MD4Old, "", false, true}, {checksum.MD4Busted, "", false, true},
		{checksum.MD4Old, "md5", false, false}, {checksum.MD5, "", false, true}, {checksum.MD5, "md5", true, true}, {checksum.MD5, "SHA256", true, false},
		{checksum.SHA1, "sha256", true, false}, {checksum.SHA512, "sha256", true, true}, {checksum.SHA512, "nonsense", true, false},
	} {
		if why := tooWeak(tt.digest, tt.least, tt.chosen); (why == "") != tt.ok {
			t.Errorf("%+v: %q", tt, why)
		}
	}
}

// TestBackoff: guessing gets slower and slower, also from many connections at
// once, for one address only, and a success ends it.
func TestBackoff(t *testing.T) {
	var b backoff
	from, other := netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")
	now := time.Now()
	const first = time.Second
	for range freeFailures {
		if turn := b.reserve(from, first, now); turn != now {
			t.Errorf("held back until %v", turn.Sub(now))
		}
		b.failed(from)
	}
	one, two, three := b.reserve(from, first, now), b.reserve(from, first, now), b.reserve(from, first, now)
	if one.Sub(now) < first || two.Sub(one) < first || three.Sub(two) < first {
		t.Errorf("turns after %v, %v, %v", one.Sub(now), two.Sub(now), three.Sub(now))
	}
	for range 100 {
		b.failed(from)
	}
	if d := b.reserve(from, first, now.Add(time.Minute)).Sub(now.Add(time.Minute)); d > longestPause {
		t.Errorf("after many failures %v", d)
	}
	if turn := b.reserve(other, first, now); turn != now {
		t.Errorf("another address waits %v", turn.Sub(now))
	}
	if b.wait(context.Background(), from, first, now) {
		t.Error("waited beyond the deadline")
	}
	if turn := b.reserve(from, first, now.Add(2*backoffMemory)); turn != now.Add(2*backoffMemory) {
		t.Error("not forgotten")
	}
	b.passed(from)
	if turn := b.reserve(from, first, now); turn != now {
		t.Error("not forgotten after a success")
	}
	// What is forgotten starts anew, and goes first when there is no room.
	for range 10 {
		b.failed(from)
	}
	b.offenders[from].last = now.Add(-2 * backoffMemory)
	if b.failed(from); b.offenders[from].failures != 1 {
		t.Errorf("%d failures after a long time", b.offenders[from].failures)
	}
	for i := range maxOffenders + 10 {
		b.failed(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32))
	}
	if len(b.offenders) > maxOffenders {
		t.Errorf("%d are remembered", len(b.offenders))
	}
}

// TestSlots: places are counted over all names of a file, and come back.
func TestSlots(t *testing.T) {
	dir := t.TempDir()
	var s slots
	claim := func(name string, most int) (func(), error) { return s.claim(filepath.Join(dir, name), most) }
	if release, err := claim("none", 0); err != nil {
		t.Error(err)
	} else {
		release()
	}
	if _, err := claim("x", -1); err != errFull {
		t.Error(err)
	}
	a, err := claim("lock", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim("./lock", 2); err != nil {
		t.Error(err)
	}
	if _, err := claim("lock", 2); err != errFull {
		t.Errorf("a third of two: %v", err)
	}
	if _, err := claim("lock", 3); err != nil {
		t.Errorf("a third of three: %v", err)
	}
	if _, err := claim("other", 1); err != nil {
		t.Error(err)
	}
	a()
	a()
	if _, err := claim("lock", 2); err != nil {
		t.Errorf("after a release: %v", err)
	}
	if _, err := claim("no/lock", 2); err == nil || err == errFull || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}
