package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/sockopts"
)

// DefaultPort is the daemon's port (IANA: rsync).
const DefaultPort = 873

// Remote is a place on another machine: below a module of a daemon, or what a
// remote shell leads to.
type Remote struct {
	User   string // "" for the default
	Host   string
	Port   int    // 0: DefaultPort
	Module string // "": the list of modules
	Path   string // below the module, without a leading slash; with Shell as the user wrote it
	Shell  bool   // HOST:PATH: no module, a remote shell starts the other side
}

// ParseRemote reads a place on a daemon: rsync://[USER@]HOST[:PORT]/MODULE/PATH
// or [USER@]HOST::MODULE/PATH. ok is false if arg has neither form.
func ParseRemote(arg string) (r Remote, ok bool, err error) {
	if r, ok, err = ParsePlace(arg); ok && r.Shell {
		return Remote{}, false, nil
	}
	return r, ok, err
}

// ParsePlace reads a place on another machine: what ParseRemote takes, or
// [USER@]HOST:PATH for a remote shell. An IPv6 address stands in brackets. ok
// is false for a path on this machine; a colon behind the first slash belongs
// to a path (options.c:check_for_hostspec).
func ParsePlace(arg string) (r Remote, ok bool, err error) {
	if rest, found := cutScheme(arg); found {
		r, err = parseURL(rest)
		if err != nil {
			return r, true, fmt.Errorf("%q: %w", arg, err)
		}
		return r, true, r.check(arg)
	}
	host, p, found := cutHost(arg)
	if !found {
		return r, false, nil
	}
	r.User, r.Host = cutUser(host)
	r.Host = strings.Trim(r.Host, "[]")
	if p, found = strings.CutPrefix(p, ":"); !found {
		r.Shell, r.Path = true, p
		return r, true, r.check(arg)
	}
	r.Module, r.Path, found = strings.Cut(p, "/")
	if found && r.Path == "" {
		r.Path = "/"
	}
	return r, true, r.check(arg)
}

// cutHost splits at the colon behind a host; there is none if a slash comes
// first.
func cutHost(arg string) (host, rest string, ok bool) {
	start := 0
	if at := strings.IndexByte(arg, '@'); at >= 0 {
		start = at + 1
	}
	if strings.HasPrefix(arg[start:], "[") {
		if end := strings.Index(arg[start:], "]:"); end >= 0 {
			return arg[:start+end+1], arg[start+end+2:], !strings.Contains(arg[:start+end], "/")
		}
	}
	host, rest, ok = strings.Cut(arg, ":")
	return host, rest, ok && !strings.Contains(host, "/")
}

func cutUser(host string) (user, name string) {
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		return host[:at], host[at+1:]
	}
	return "", host
}

// parseURL reads what follows rsync://.
func parseURL(rest string) (r Remote, err error) {
	hostport, p, _ := strings.Cut(rest, "/")
	r.User, hostport = cutUser(hostport)
	if r.Host, r.Port, err = splitHostPort(hostport); err != nil {
		return r, err
	}
	if plain, err := url.PathUnescape(p); err == nil {
		p = plain
	}
	r.Module, r.Path, _ = strings.Cut(p, "/")
	if strings.Contains(p, "/") && r.Path == "" {
		r.Path = "/"
	}
	return r, nil
}

func cutScheme(arg string) (string, bool) {
	const scheme = "rsync://"
	if len(arg) < len(scheme) || !strings.EqualFold(arg[:len(scheme)], scheme) {
		return arg, false
	}
	return arg[len(scheme):], true
}

func (r Remote) check(arg string) error {
	switch {
	case r.Host == "":
		return fmt.Errorf("%q names no host", arg)
	case strings.HasPrefix(r.Host, "-"), strings.HasPrefix(r.User, "-"):
		return fmt.Errorf("%q: a host or user that begins with a dash would be taken for an option of the remote shell", arg)
	case strings.ContainsAny(r.Module, "\n\x00"), strings.Contains(r.Path, "\x00"):
		return fmt.Errorf("%q has a newline or NUL where none can be sent", arg)
	}
	return nil
}

// splitHostPort takes HOST, HOST:PORT, [IPv6] and [IPv6]:PORT apart.
func splitHostPort(s string) (host string, port int, err error) {
	host = s
	if strings.Contains(s, "]:") || strings.Count(s, ":") == 1 {
		var p string
		if host, p, err = net.SplitHostPort(s); err != nil {
			return "", 0, err
		}
		if p != "" {
			if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
				return "", 0, fmt.Errorf("port %q is not a number from 1 to 65535", p)
			}
		}
	}
	return strings.Trim(host, "[]"), port, nil
}

// Address returns host:port for dialling.
func (r Remote) Address() string {
	return net.JoinHostPort(r.Host, strconv.Itoa(r.port()))
}

func (r Remote) port() int {
	if r.Port == 0 {
		return DefaultPort
	}
	return r.Port
}

func (r Remote) String() string {
	if r.Shell {
		return r.account() + ":" + r.Path
	}
	s := "rsync://" + r.Host
	if r.Port != 0 && r.Port != DefaultPort {
		s = "rsync://" + r.Address()
	}
	s += "/" + r.Module
	if r.Path != "" && r.Path != "/" {
		s += "/" + r.Path
	}
	return s
}

// account is USER@HOST, or HOST alone.
func (r Remote) account() string {
	if r.User == "" {
		return r.Host
	}
	return r.User + "@" + r.Host
}

// argument is how the other side is asked for this place.
func (r Remote) argument(q quoting) string {
	if r.Shell {
		return q.path(r.Path)
	}
	if r.Path == "" || r.Path == "/" {
		return r.Module + "/"
	}
	if strings.HasPrefix(r.Path, "-") {
		// Past the module's name, rsync's daemon would take it for an option.
		return r.Module + "/./" + r.Path
	}
	return r.Module + "/" + r.Path
}

// dialAddress connects to a daemon under the options' limits. report gets what is
// wrong with socket options, which is no reason not to connect
// (socket.c:set_socket_options).
func dialAddress(ctx context.Context, address string, opt *options.Options, report func(error)) (net.Conn, error) {
	list, err := sockopts.Parse(opt.SockOpts)
	if err != nil {
		report(err)
	}
	d := net.Dialer{Timeout: time.Duration(opt.Contimeout) * time.Second, Control: sockopts.Control(list, report)}
	network := "tcp"
	switch opt.Family {
	case options.FamilyIPv4:
		network = "tcp4"
	case options.FamilyIPv6:
		network = "tcp6"
	}
	if opt.Address != "" {
		local, err := net.ResolveTCPAddr(network, net.JoinHostPort(opt.Address, "0"))
		if err != nil {
			return nil, proto.Failf(proto.ExitSyntax, "--address=%s: %w", opt.Address, err)
		}
		d.LocalAddr = local
	}
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		return conn, nil
	}
	code := proto.ExitSocketIO
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		code = proto.ExitConnTimeout
	}
	return nil, proto.Failf(code, "connect to %s: %w%s", address, plain(err), hint(err))
}

// plain strips Go's words from a dial error.
func plain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func hint(err error) string {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return " (is the daemon running there?)"
	}
	return ""
}
