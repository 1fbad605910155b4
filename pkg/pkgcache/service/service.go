// Package service puts a package cache together as its settings say: folders,
// rules, the way to upstream, what it answers itself, and the listener that lets
// only friends in.
package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/empegsync/empegsync/pkg/pkgcache"
	"github.com/empegsync/empegsync/pkg/pkgcache/access"
	"github.com/empegsync/empegsync/pkg/pkgcache/clean"
	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/known"
	"github.com/empegsync/empegsync/pkg/pkgcache/report"
	"github.com/empegsync/empegsync/pkg/pkgcache/rules"
	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
	"github.com/empegsync/empegsync/pkg/pkgcache/tier"
	"github.com/empegsync/empegsync/pkg/status/web"
)

// Service is a cache ready to serve.
type Service struct {
	set     *settings.Settings
	log     *slog.Logger
	cache   *pkgcache.Cache
	fills   *fill.Group
	lists   *known.Lists
	cleaner *clean.Cleaner
	book    *report.Book
	page    *report.Page
	pageLn  net.Listener // nil: there is no report
	came    chan string  // lists that have come, by key
	tier    *tier.Tier   // nil: there is none
	stores  []*store.Store
	stop    context.CancelFunc
	all     sync.WaitGroup // what works beside the answers
}

// New opens the folders. name is the host's, for Via lines.
func New(set *settings.Settings, name string, log *slog.Logger) (_ *Service, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{set: set, log: log, stop: cancel, came: make(chan string, 64)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	main, err := s.open(set.Dir)
	if err != nil {
		return nil, err
	}
	rule, err := s.rules()
	if err != nil {
		return nil, err
	}
	local, err := s.local(main)
	if err != nil {
		return nil, err
	}
	s.lists = Lists(set, main, log)
	s.book = &report.Book{}
	s.cleaner = Cleaner(set, main, s.lists, log)
	transport := s.transport()
	if err := s.openTier(transport); err != nil {
		return nil, err
	}
	s.fills = &fill.Group{
		Store: main, Client: &http.Client{Transport: transport, CheckRedirect: pkgcache.CheckRedirect}, Log: log, Context: ctx, Stall: set.Stall, PerHost: set.PerHost,
		Room: func(_ string, n int64) error { return s.room(ctx, n) },
		Tell: s.told,
	}
	if set.Rate > 0 {
		s.fills.Rate = rate.NewLimiter(rate.Limit(set.Rate), int(min(max(set.Rate, 64<<10), 1<<20)))
	}
	s.cache = &pkgcache.Cache{
		Store: main, Fills: s.fills, Rules: rule, Mode: set.Mode, Log: log, Name: name, Transport: transport, Local: local, Tunnel: s.tunnel,
		Sums: s.lists.Sums, Negative: set.Negative,
	}
	if s.tier != nil {
		s.cache.Common = s.tier.URL
		s.all.Go(func() { s.tier.Run(ctx) })
	}
	if s.cache.Peers, err = s.peers(); err != nil {
		return nil, err
	}
	if s.cache.Peers != nil {
		s.cache.Name = set.Self // by this name the others know it
	}
	s.page = &report.Page{Book: s.book, Fills: s.fills, Store: main, Title: "Package cache " + name, Names: set.Names}
	s.all.Go(func() { s.lists.Watch(ctx, time.Minute) })
	s.all.Go(func() { s.read(ctx) })
	s.all.Go(func() { s.sweep(ctx) })
	return s, nil
}

func (s *Service) open(dir string) (*store.Store, error) {
	st, err := store.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; make the folder, and give it to the user that the cache runs as (%s)", err, orSelf(s.set.User))
	}
	s.stores = append(s.stores, st)
	return st, nil
}

func orSelf(user string) string {
	if user == "" {
		return "whoever starts it"
	}
	return user
}

// rules puts the owner's groups, aliases of mirrors and presets together.
func (s *Service) rules() (*rules.Set, error) {
	set := &rules.Set{Flat: s.set.Flat, Static: s.set.Static, MaxAge: s.set.MaxAge, Groups: slices.Clone(s.set.Groups)}
	for _, a := range s.set.Aliases {
		for _, name := range a.Names {
			if !strings.Contains(name, "/") {
				continue
			}
			g, err := rules.NewGroup(name, []string{name}, nil)
			if err != nil {
				return nil, fmt.Errorf("alias of %s: %w", a.Dir, err)
			}
			if g.Store, err = s.open(a.Dir); err != nil {
				return nil, fmt.Errorf("alias %s: %w", name, err)
			}
			set.Groups = append(set.Groups, g)
		}
	}
	for _, p := range s.set.Presets {
		r, err := rules.Preset(p)
		if err != nil {
			return nil, err
		}
		set.Rules = append(set.Rules, r...)
	}
	return set, nil
}

// local is what the cache answers itself: its own files, and the aliases.
func (s *Service) local(main *store.Store) (http.Handler, error) {
	mux := http.NewServeMux()
	var names []string
	for _, a := range s.set.Aliases {
		for _, name := range a.Names {
			if strings.Contains(name, "/") {
				continue
			}
			f, err := openFolder(a.Dir)
			if err != nil {
				return nil, fmt.Errorf("alias %s: %w", name, err)
			}
			mux.Handle("/"+name+"/", http.StripPrefix("/"+name, f))
			names = append(names, name)
		}
	}
	f, err := openFolder(main.Dir())
	if err != nil {
		return nil, err
	}
	f.more = names
	mux.Handle("/", f)
	return mux, nil
}

// transport reaches upstream.
func (s *Service) transport() *http.Transport {
	reach := pkgcache.Reach{Ports: s.set.Ports, Private: s.set.Private}
	t := &http.Transport{
		DialContext: reach.DialContext, DisableCompression: true, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: s.set.PerHost,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: s.set.Stall,
		MaxResponseHeaderBytes: 256 << 10, Proxy: http.ProxyFromEnvironment,
	}
	var ftp http.RoundTripper = &pkgcache.FTP{Dial: reach.DialContext, Timeout: 2 * s.set.Stall}
	if s.set.Parent != nil {
		t.Proxy = http.ProxyURL(s.set.Parent)
		way := t.Clone()
		way.Proxy, way.DialContext = nil, (&net.Dialer{Timeout: 30 * time.Second}).DialContext
		way.ForceAttemptHTTP2, way.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
		ftp = &pkgcache.Parent{URL: s.set.Parent, Way: way}
	}
	t.RegisterProtocol("ftp", ftp)
	// The way to a proxy is the administrator's word: it may be private. What
	// the proxy then connects to is for it to judge.
	direct := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if s.isProxy(t, address) {
			return (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, network, address)
		}
		return direct(ctx, network, address)
	}
	return t
}

func (s *Service) isProxy(t *http.Transport, address string) bool {
	for _, scheme := range []string{"http", "https"} {
		u, err := t.Proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: "upstream.example"}})
		if err != nil || u == nil {
			continue
		}
		host := u.Host
		if u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme])
		}
		if host == address {
			return true
		}
	}
	return false
}

// tunnel reports whether CONNECT may lead to host:port.
func (s *Service) tunnel(to string) bool {
	to = strings.ToLower(to)
	for _, allowed := range s.set.Connect {
		if allowed == to {
			return true
		}
		if domain, ok := strings.CutPrefix(allowed, "*."); ok && strings.HasSuffix(to, "."+domain) {
			return true
		}
	}
	return false
}

// room makes room for a file of n bytes, -1 if not known.
func (s *Service) room(ctx context.Context, n int64) error {
	var arriving int64
	for _, f := range s.fills.Running() {
		have, length, _ := f.Progress()
		arriving += max(have, length)
	}
	return s.cleaner.Room(ctx, n, arriving)
}

// Listen listens where the settings say, for the report, too.
func (s *Service) Listen(ctx context.Context) (net.Listener, error) {
	ln, err := s.listen(ctx, net.JoinHostPort(s.set.Address, fmt.Sprint(s.set.Port)))
	if err != nil || s.set.Report == "" {
		return ln, err
	}
	if s.pageLn, err = s.listen(ctx, s.set.Report); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s.log.Info("the report is at http://" + s.pageLn.Addr().String() + "/")
	return ln, nil
}

func (s *Service) listen(ctx context.Context, at string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	if s.set.Open {
		return ln, nil
	}
	return &access.Listener{Listener: ln, List: &s.set.Access, Log: s.log}, nil
}

// Serve serves until the context ends, then lets running answers go on for a
// while, and closes everything. accessLog gets a line for each answer, nil: nothing
// does.
func (s *Service) Serve(ctx context.Context, ln net.Listener, grace time.Duration, accessLog io.Writer) error {
	hide := func() {}
	if s.pageLn != nil {
		var shown context.Context
		shown, hide = context.WithCancel(ctx)
		s.all.Go(func() { web.Serve(shown, s.pageLn, s.page) })
	}
	srv := &http.Server{
		Handler: s.book.Watch(s.cache, accessLog), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if srv.Shutdown(end) != nil {
			srv.Close()
		}
	})()
	err := srv.Serve(ln)
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		<-stopped
		err = nil
	}
	hide()
	return errors.Join(err, s.Close())
}

// Close ends all fetches, each of which keeps what can be gone on with.
func (s *Service) Close() error {
	s.stop()
	if s.pageLn != nil {
		s.pageLn.Close()
	}
	if s.fills != nil {
		s.fills.Wait()
	}
	s.all.Wait()
	var all error
	for _, st := range s.stores {
		all = errors.Join(all, st.Close())
	}
	return all
}
