package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache"
	"github.com/empegsync/empegsync/pkg/pkgcache/rules"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// param is a parameter of the configuration file.
type param struct {
	name string
	help string
	set  func(s *Settings, value string) error
}

// params are the file's parameters outside of sections.
func params() []param {
	return []param{
		{"dir", "the folder of the cache", text(func(s *Settings) *string { return &s.Dir })},
		{"user", "the user it runs as, once it listens", text(func(s *Settings) *string { return &s.User })},
		{"address", "the address to listen on; all if empty", text(func(s *Settings) *string { return &s.Address })},
		{"port", "the port to listen on; 0 lets the system choose", number(0, 65535, func(s *Settings) *int { return &s.Port })},
		{"allow", "who may use it: addresses, 10.13.18.*, 10.13.18.0/24, 2001:db8::/32, or all", list((*Settings).allow)},
		{"alias", "a folder to publish: DIR:NAME[:NAME...]", list((*Settings).AddAlias)},
		{"log file", "where to log; the standard error if empty", text(func(s *Settings) *string { return &s.Log })},
		{"access log", "where to log each answer, in the common log format", text(func(s *Settings) *string { return &s.AccessLog })},
		{"report", "where to serve the report and the metrics: a port of this machine, or address:port", (*Settings).setReport},
		{"names", "names under which the report may be asked for, beside addresses and localhost", list((*Settings).addName)},
		{"log json", "log lines of JSON", flag(func(s *Settings) *bool { return &s.LogJSON })},
		{"pid file", "where to write the process number", text(func(s *Settings) *string { return &s.Pid })},
		{"debug", "log more", flag(func(s *Settings) *bool { return &s.Debug })},
		{"static", "never ask again for what is there", flag(func(s *Settings) *bool { return &s.Static })},
		{"flat", "name files by their own name alone", flag(func(s *Settings) *bool { return &s.Flat })},
		{"external", "the proxy to reach upstream through: [user:password@]host:port", (*Settings).SetParent},
		{"mode", "when upstream is down: fallback, strict or offline", (*Settings).setMode},
		{"presets", "kinds of packages to know: " + strings.Join(rules.Presets(), " "), (*Settings).setPresets},
		{"max age", "how long an index is good when upstream does not say", duration(func(s *Settings) *time.Duration { return &s.MaxAge })},
		{"min free", "how much of the disk stays free", size(func(s *Settings) *int64 { return &s.MinFree })},
		{"quota", "how much all files may have together; 0 for any", size(func(s *Settings) *int64 { return &s.Quota })},
		{"keep unlisted", "how long \"cache clean\" keeps what no Manifest or index names; 0 for ever", duration(func(s *Settings) *time.Duration { return &s.Unlisted })},
		{"keep parts", "how long unfinished files are kept; 0 for ever", duration(func(s *Settings) *time.Duration { return &s.Parts })},
		{"negative", "how long upstream's word counts that there is no such file", duration(func(s *Settings) *time.Duration { return &s.Negative })},
		{"peers", "caches that share the files: host:port ..., the same in each one's configuration", list((*Settings).addPeer)},
		{"self", "which of the peers this one is", text(func(s *Settings) *string { return &s.Self })},
		{"s3", "an S3-compatible store that caches share: https://host:port/bucket, or with a prefix behind it", (*Settings).setCommon},
		{"s3 keys", "the file with its access key and its secret, in two words; else the environment has them as for other programs", text(func(s *Settings) *string { return &s.CommonKeys })},
		{"s3 region", "its region (us-east-1)", text(func(s *Settings) *string { return &s.CommonRegion })},
		{"connect", "where CONNECT may lead: host:port or *.domain:port", list((*Settings).addConnect)},
		{"private hosts", "private addresses that may be upstream", list((*Settings).addPrivate)},
		{"ports", "ports that upstream may have", list((*Settings).addPort)},
		{"bandwidth", "bytes a second from all upstreams together", size(func(s *Settings) *int64 { return &s.Rate })},
		{"fetches per host", "how many fetches one upstream gets at once", number(1, 1000, func(s *Settings) *int { return &s.PerHost })},
		{"manifests", "portage trees whose Manifests tell what distfiles must be; none for none; else those of this machine", (*Settings).setManifests},
		{"timeout", "how long upstream may send nothing", duration(func(s *Settings) *time.Duration { return &s.Stall })},
	}
}

// mirror is a section [mirror NAME] of the file.
type mirror struct{ members, upstreams []string }

// Read adds what a file says.
func (s *Settings) Read(name string, data []byte) error {
	all := params()
	mirrors := make(map[string]*mirror)
	var order []string
	err := conf.ReadSections(name, data, func(section, name, value string) error {
		if section != "" {
			group, ok := strings.CutPrefix(section, "mirror ")
			group = strings.TrimSpace(group)
			if !ok || group == "" {
				return fmt.Errorf("a section [%s]: there are only [mirror NAME]", section)
			}
			m := mirrors[group]
			if m == nil {
				m = &mirror{}
				mirrors[group] = m
				order = append(order, group)
			}
			switch name {
			case "members":
				m.members = append(m.members, strings.Fields(value)...)
			case "upstream":
				m.upstreams = append(m.upstreams, strings.Fields(value)...)
			default:
				return fmt.Errorf("unknown parameter %q of a mirror: it has members and upstream", name)
			}
			return nil
		}
		i := slices.IndexFunc(all, func(p param) bool { return p.name == name })
		if i < 0 {
			return fmt.Errorf("unknown parameter %q; \"empegsync cache --explain\" lists them all", name)
		}
		if err := all[i].set(s, value); err != nil {
			return fmt.Errorf("parameter %q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range order {
		g, err := rules.NewGroup(name, mirrors[name].members, mirrors[name].upstreams)
		if err != nil {
			return err
		}
		s.Groups = append(s.Groups, g)
	}
	return nil
}

// Explain lists the file's parameters, a line each.
func Explain() string {
	var b strings.Builder
	for _, p := range params() {
		fmt.Fprintf(&b, "%-17s %s\n", p.name, p.help)
	}
	b.WriteString("\n[mirror NAME]     a group of mirrors that hold the same files:\nmembers           their addresses: host/path ...\n" +
		"upstream          where to fetch from, in this order; else from whom a client asks\n")
	return b.String()
}

func (s *Settings) allow(v string) error {
	if v == "all" {
		s.Open = true
		return nil
	}
	return s.Access.Add(v)
}

func (s *Settings) setReport(v string) error {
	host, port, ok := strings.Cut(v, ":")
	if !ok {
		host, port = "127.0.0.1", v
	} else if i := strings.LastIndex(v, ":"); i > 0 {
		host, port = strings.Trim(v[:i], "[]"), v[i+1:]
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: write a port, or address:port", v)
	}
	s.Report = net.JoinHostPort(host, port)
	return nil
}

func (s *Settings) addPeer(v string) error {
	if host, port, err := net.SplitHostPort(v); err != nil || host == "" || port == "" {
		return fmt.Errorf("%q: write host:port", v)
	}
	s.Peers = append(s.Peers, v)
	return nil
}

func (s *Settings) setCommon(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("write https://host:port/bucket; its keys have a parameter of their own")
	}
	s.Common = u
	return nil
}

func (s *Settings) addName(v string) error {
	s.Names = append(s.Names, v)
	return nil
}

func (s *Settings) setMode(v string) error {
	modes := map[string]pkgcache.Mode{"fallback": pkgcache.Fallback, "strict": pkgcache.Strict, "offline": pkgcache.Offline}
	m, ok := modes[strings.ToLower(v)]
	if !ok {
		return fmt.Errorf("%q is none of fallback, strict and offline", v)
	}
	s.Mode = m
	return nil
}

func (s *Settings) setPresets(v string) error {
	s.Presets = words(v)
	for _, p := range s.Presets {
		if _, err := rules.Preset(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) setManifests(v string) error {
	if s.Manifests == nil {
		s.Manifests = []string{}
	}
	if v == "none" {
		s.Manifests = s.Manifests[:0]
		return nil
	}
	for _, dir := range words(v) {
		if info, err := os.Stat(dir); err != nil {
			return err
		} else if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		s.Manifests = append(s.Manifests, dir)
	}
	return nil
}

func (s *Settings) addConnect(v string) error {
	host, port, ok := strings.Cut(v, ":")
	if n, err := strconv.Atoi(port); !ok || host == "" || err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q: write host:port or *.domain:port", v)
	}
	s.Connect = append(s.Connect, strings.ToLower(v))
	return nil
}

func (s *Settings) addPrivate(v string) error {
	p, err := netip.ParsePrefix(v)
	if err != nil {
		a, err := netip.ParseAddr(v)
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a prefix", v)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	s.Private = append(s.Private, p.Masked())
	return nil
}

func (s *Settings) addPort(v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no port", v)
	}
	s.Ports = append(s.Ports, uint16(n))
	return nil
}
