package settings

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/pkgcache"
)

func TestConfD(t *testing.T) {
	for text, want := range map[string]string{
		`GENERAL_OPTS="--dir /var/cache/http-replicator"
GENERAL_OPTS="$GENERAL_OPTS --user portage"
# comment
DAEMON_OPTS="$DAEMON_OPTS --alias /usr/portage/packages/All:All"
DAEMON_OPTS="${DAEMON_OPTS} --ip 10.13.18.*"   # the network
`: "--dir /var/cache/http-replicator --user portage --alias /usr/portage/packages/All:All --ip 10.13.18.*",
		"export DAEMON_OPTS='--port 1 $X'": "--port 1 $X",
		"GENERAL_OPTS=--flat":              "--flat",
		"":                                 "",
	} {
		got, err := ConfD("f", text)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	for _, bad := range []string{"rm -rf /", "X=$(id)", "X=`id`", `X="open`, "X=a b", "=x", "1X=2", "X=$", "X=${", "if true; then"} {
		if got, err := ConfD("f", "\n"+bad); err == nil || !strings.HasPrefix(err.Error(), "f:2: ") {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}

const file = `
# A cache for the house
dir = /srv/cache
port = 3128
allow = 10.13.18.*, 192.168.0.0/16
alias = /usr/portage/packages/All:All
mode = strict
presets = gentoo debian
max age = 5m
min free = 20G
connect = *.example.org:443
private hosts = 10.0.0.1
ports = 80 8080
static = yes

[mirror debian]
members = deb.example/debian ftp.example/debian
upstream = http://up.example/debian
`

func TestRead(t *testing.T) {
	s := Default()
	if err := s.Read("f", []byte(file)); err != nil {
		t.Fatal(err)
	}
	if s.Dir != "/srv/cache" || s.Port != 3128 || s.Mode != pkgcache.Strict || s.MaxAge != 5*time.Minute || s.MinFree != 20<<30 || !s.Static {
		t.Errorf("%+v", s)
	}
	if diff := cmp.Diff([]string{"gentoo", "debian"}, s.Presets); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Alias{{"/usr/portage/packages/All", []string{"All"}}}, s.Aliases); diff != "" {
		t.Error(diff)
	}
	if !s.Access.Allows(netip.MustParseAddr("10.13.18.9")) || s.Access.Allows(netip.MustParseAddr("10.13.19.9")) {
		t.Error("access is wrong")
	}
	if len(s.Groups) != 1 || s.Groups[0].Name != "debian" || len(s.Groups[0].Members) != 2 || len(s.Groups[0].Upstreams) != 1 {
		t.Errorf("groups %+v", s.Groups)
	}
	for _, p := range params() {
		if !strings.Contains(Explain(), "\n"+p.name+" ") && !strings.HasPrefix(Explain(), p.name+" ") {
			t.Errorf("%s is not explained", p.name)
		}
	}
}

// Each mistake is told with its line, and all of them at once.
func TestMistakes(t *testing.T) {
	text := strings.Join([]string{
		"port = 70000", "frob = 1", "mode = maybe", "presets = slackware", "max age = soon", "min free = much", "connect = host",
		"private hosts = name", "ports = 0", "static = perhaps", "allow = 10.13", "alias = /x", "[other]", "x = 1", "[mirror m]", "frob = 2",
	}, "\n")
	err := Default().Read("f", []byte(text))
	if err == nil {
		t.Fatal("all of it was taken")
	}
	for _, line := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "14", "16"} {
		if !strings.Contains(err.Error(), "f:"+line+": ") {
			t.Errorf("line %s is not told:\n%v", line, err)
		}
	}
}

// A wrong parent proxy is not repeated: it may hold a password.
func TestParent(t *testing.T) {
	s := Default()
	if err := s.SetParent("u:secret@proxy:3128"); err != nil || s.Parent.Host != "proxy:3128" {
		t.Errorf("%v, %v", s.Parent, err)
	}
	if err := s.SetParent("u:secret@pro xy:3128"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "5": 5, "1k": 1 << 10, "20G": 20 << 30, "3MB": 3 << 20, "2T": 2 << 40} {
		if n, err := ParseSize(s); err != nil || n != want {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	}
	for _, bad := range []string{"", "K", "-1", "1.5G", "99999999999T", "5x"} {
		if n, err := ParseSize(bad); err == nil {
			t.Errorf("%q: %d", bad, n)
		}
	}
	for s, want := range map[string]time.Duration{"5": 5 * time.Second, "2m": 2 * time.Minute, "1d": 24 * time.Hour, "0": 0} {
		if d, err := parseDuration(s); err != nil || d != want {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	}
	for _, bad := range []string{"", "m", "-1s", "99999999999999d"} {
		if d, err := parseDuration(bad); err == nil {
			t.Errorf("%q: %v", bad, d)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file)
	f.Fuzz(func(_ *testing.T, text string) { _ = Default().Read("f", []byte(text)) })
}

func FuzzConfD(f *testing.F) {
	f.Add(`X="a $Y ${Z}" # c`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ConfD("f", text) })
}
