package rules

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Rule says what the files are whose "host/path" a pattern matches.
type Rule struct {
	Name    string         // for people: "gentoo: distfiles"
	Pattern *regexp.Regexp // on "host/path", unanchored
	Class   pkgcache.Class
	// Key is a template for the file's name, with $1 for what a group of the
	// pattern has matched; "" for the usual one.
	Key string
	// MaxAge is how long a volatile file is fresh when upstream does not say.
	MaxAge time.Duration
}

// Group is a set of places that hold the same files.
type Group struct {
	Name string // what stands in place of the host in keys
	// Members are "host/path" beginnings without a final slash.
	Members []string
	// Upstreams are tried in order for every file of the group; empty: the
	// place that was asked for, then the members.
	Upstreams []*url.URL
	// Store keeps the files of the group in a folder of its own, in which the
	// name does not occur again; nil: the cache's.
	Store *store.Store
}

// Set decides. It implements pkgcache.Rules and is not changed while in use.
type Set struct {
	Rules  []Rule
	Groups []Group
	// Flat keys by the file's own name alone (http-replicator's --flat).
	Flat bool
	// Static never asks again for what it has (http-replicator's --static).
	Static bool
	// MaxAge is for volatile files that no rule gives another one.
	MaxAge time.Duration
}

// uniqueName is the header by which Gentoo's clients name a file in flat mode.
const uniqueName = "X-Unique-Cache-Name"

// unfinished is what portage appends to a name while it downloads.
const unfinished = ".__download__"

// Decide implements pkgcache.Rules.
func (s *Set) Decide(u *url.URL, h http.Header) pkgcache.Decision {
	place := strings.ToLower(u.Host) + strings.TrimSuffix(cleanPath(u), unfinished)
	d := pkgcache.Decision{Class: pkgcache.Volatile, MaxAge: s.MaxAge, URLs: []*url.URL{u}, Key: place}
	if strings.HasSuffix(place, "/") {
		d.Class = pkgcache.Uncached // a listing, as a rule
		return d
	}
	rest := s.group(place, u, &d)
	for _, r := range s.Rules {
		m := r.Pattern.FindStringSubmatchIndex(place)
		if m == nil {
			continue
		}
		d.Class = r.Class
		if r.MaxAge > 0 {
			d.MaxAge = r.MaxAge
		}
		if r.Key != "" && rest == "" {
			d.Key = string(r.Pattern.ExpandString(nil, r.Key, place, m))
		}
		break
	}
	if s.Flat {
		d.Key = path.Base(place)
		if name := h.Get(uniqueName); name != "" {
			d.Key = path.Base(path.Clean("/" + name))
		}
	}
	if u.RawQuery != "" {
		d.Key += "?" + strings.ReplaceAll(u.RawQuery, "/", "%2F")
	}
	if s.Static && d.Class == pkgcache.Volatile {
		d.Class = pkgcache.Immutable
	}
	return d
}

// cleanPath is a URL's path without "." and "..", a final slash kept.
func cleanPath(u *url.URL) string {
	p := path.Clean("/" + u.Path)
	if strings.HasSuffix(u.Path, "/") && p != "/" {
		p += "/"
	}
	return p
}

// group finds the mirror group of a place. It returns what follows the
// member's beginning, "" if there is no group.
func (s *Set) group(place string, u *url.URL, d *pkgcache.Decision) (rest string) {
	for _, g := range s.Groups {
		for _, m := range g.Members {
			if rest, ok := strings.CutPrefix(place, m+"/"); ok {
				d.Key, d.Store = g.Name+"/"+rest, g.Store
				if g.Store != nil {
					d.Key = rest
				}
				d.URLs = g.urls(m, rest, u)
				return rest
			}
		}
	}
	return ""
}

// urls lists where a file of the group may be had.
func (g *Group) urls(asked, rest string, u *url.URL) []*url.URL {
	var all []*url.URL
	for _, up := range g.Upstreams {
		all = append(all, up.JoinPath(rest))
	}
	if len(all) > 0 {
		return all
	}
	all = []*url.URL{u}
	for _, m := range g.Members {
		if m != asked {
			host, dir, _ := strings.Cut(m, "/")
			all = append(all, (&url.URL{Scheme: u.Scheme, Host: host, Path: "/" + dir}).JoinPath(rest))
		}
	}
	return all
}

// NewGroup checks a group as a configuration gives it: members and upstreams
// are URLs or "host/path".
func NewGroup(name string, members, upstreams []string) (Group, error) {
	g := Group{Name: strings.Trim(name, "/")}
	if g.Name == "" || strings.Contains(g.Name, "..") {
		return g, fmt.Errorf("mirror group %q: not a name", name)
	}
	for _, m := range members {
		u, err := parse(m)
		if err != nil {
			return g, fmt.Errorf("mirror group %q: %w", name, err)
		}
		g.Members = append(g.Members, strings.ToLower(u.Host)+strings.TrimSuffix(cleanPath(u), "/"))
	}
	for _, up := range upstreams {
		u, err := parse(up)
		if err != nil {
			return g, fmt.Errorf("mirror group %q: %w", name, err)
		}
		g.Upstreams = append(g.Upstreams, u)
	}
	// The longest first, so that a part of a mirror may be a group's member, too.
	slices.SortStableFunc(g.Members, func(a, b string) int { return len(b) - len(a) })
	return g, nil
}

func parse(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ftp" {
		return nil, fmt.Errorf("%q is not the address of a mirror: write host/path or http://host/path", s)
	}
	return u, nil
}
