// Package settings reads how a package cache is to be: from http-replicator's
// command line, from its file in /etc/conf.d, and from a file in the syntax of
// rsyncd.conf, which can say all of it and more. All three end in one [Settings].
package settings

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache"
	"github.com/empegsync/empegsync/pkg/pkgcache/access"
	"github.com/empegsync/empegsync/pkg/pkgcache/rules"
)

// Alias publishes a folder of this machine at http://HOST:PORT/NAME/. A name with
// a slash is a mirror's "host/path", whose files are kept in the folder.
type Alias struct {
	Dir   string
	Names []string
}

// Settings are all that can be said. Default has what is not said.
type Settings struct {
	Dir       string
	User      string
	Address   string
	Port      int
	Access    access.List
	Open      bool // to everyone
	Aliases   []Alias
	Log       string
	LogJSON   bool
	AccessLog string
	Report    string   // where the report is served: host:port, "" for nowhere
	Names     []string // what the report may be called in a URL
	Pid       string
	Debug     bool
	Static    bool
	Flat      bool
	Parent    *url.URL // the proxy that upstream is reached through

	Mode    pkgcache.Mode
	Presets []string
	Groups  []rules.Group
	MaxAge  time.Duration
	MinFree int64    // bytes of the file system
	Quota   int64    // bytes of all files, 0: any
	Connect []string // host:port, "*." in front for all below a domain
	Private []netip.Prefix
	Ports   []uint16
	Rate    int64 // bytes a second from all upstreams together, 0: any
	PerHost int
	Stall   time.Duration

	Negative time.Duration // how long "there is no such file" counts
	// Self and Peers are caches that share their files: host:port.
	Self  string
	Peers []string
	// Common is a store that caches share: http://host:port/bucket; nil: there is
	// none. CommonKeys has its access key and its secret, in words; "": the
	// environment has them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
	Common       *url.URL
	CommonKeys   string
	CommonRegion string

	// Manifests are the portage trees that tell what distfiles must be. nil:
	// those that this machine has.
	Manifests []string
	// Unlisted and Parts are how long files stay that no list names any more,
	// and unfinished ones; 0: for ever.
	Unlisted, Parts time.Duration
}

const day = 24 * time.Hour

// Default is a cache as http-replicator is by default.
func Default() *Settings {
	return &Settings{
		Dir: "/var/cache/http-replicator", Port: 8080, Presets: rules.Presets(), MinFree: 64 << 20, MaxAge: 0, PerHost: 4, Stall: time.Minute,
		Negative: 10 * time.Second, Unlisted: 30 * day, Parts: 7 * day, CommonRegion: "us-east-1",
	}
}

// Absolute makes all names of files and folders those that they are from here, for
// who is about to leave this folder.
func (s *Settings) Absolute() error {
	names := []*string{&s.Dir, &s.Log, &s.AccessLog, &s.Pid, &s.CommonKeys}
	for i := range s.Aliases {
		names = append(names, &s.Aliases[i].Dir)
	}
	for i := range s.Manifests {
		names = append(names, &s.Manifests[i])
	}
	for _, name := range names {
		if *name == "" {
			continue
		}
		var err error
		if *name, err = filepath.Abs(*name); err != nil {
			return err
		}
	}
	return nil
}

// AddAlias takes "DIR:NAME[:NAME...]".
func (s *Settings) AddAlias(v string) error {
	dir, names, ok := strings.Cut(v, ":")
	if !ok || dir == "" || names == "" {
		return fmt.Errorf("alias %q: write DIR:NAME, as in /usr/portage/packages/All:All", v)
	}
	a := Alias{Dir: dir}
	for n := range strings.SplitSeq(names, ":") {
		n = strings.Trim(n, "/")
		if n == "" || strings.HasPrefix(n, ".") || strings.Contains(n, "..") {
			return fmt.Errorf("alias %q: %q is not a name", v, n)
		}
		a.Names = append(a.Names, n)
	}
	s.Aliases = append(s.Aliases, a)
	return nil
}

// SetParent takes "[user:pass@]host:port", with or without http:// in front.
func (s *Settings) SetParent(v string) error {
	if !strings.Contains(v, "://") {
		v = "http://" + v
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the parent proxy is written [user:password@]host:port") // the text may hold a password
	}
	s.Parent = u
	return nil
}

// ParseSize reads bytes, with K, M, G or T for powers of 1024.
func ParseSize(v string) (int64, error) {
	digits := strings.TrimRight(strings.ToUpper(v), "B")
	shift := 0
	if digits != "" {
		if i := strings.IndexByte("KMGT", digits[len(digits)-1]); i >= 0 {
			shift, digits = 10*(i+1), digits[:len(digits)-1]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("%q is no size: write a number of bytes, or one with K, M, G or T behind it", v)
	}
	return n << shift, nil
}

// parseDuration reads seconds, or a number with s, m, h or d behind it.
func parseDuration(v string) (time.Duration, error) {
	unit := time.Second
	digits := v
	for suffix, u := range map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		if d, ok := strings.CutSuffix(v, suffix); ok {
			digits, unit = d, u
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > int64(1<<62/unit) {
		return 0, fmt.Errorf("%q is no time: write seconds, or a number with s, m, h or d behind it", v)
	}
	return time.Duration(n) * unit, nil
}
