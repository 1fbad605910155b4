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
)

// DefaultPort is the daemon's port (IANA: rsync).
const DefaultPort = 873

// Remote is a place on a daemon.
type Remote struct {
	Host   string
	Port   int    // 0: DefaultPort
	Module string // "": the list of modules
	Path   string // below the module, without a leading slash
}

// ParseRemote reads rsync://HOST[:PORT]/MODULE/PATH and HOST::MODULE/PATH.
// ok is false if arg has neither form.
func ParseRemote(arg string) (r Remote, ok bool, err error) {
	if rest, found := cutScheme(arg); found {
		hostport, p, _ := strings.Cut(rest, "/")
		if r.Host, r.Port, err = splitHostPort(hostport); err != nil {
			return r, true, fmt.Errorf("%q: %w", arg, err)
		}
		if p, err = url.PathUnescape(p); err != nil {
			p = strings.TrimPrefix(rest, hostport+"/")
		}
		r.Module, r.Path, _ = strings.Cut(p, "/")
		if strings.Contains(p, "/") && r.Path == "" {
			r.Path = "/"
		}
		return r, true, r.check(arg)
	}
	host, p, found := strings.Cut(arg, "::")
	if !found || strings.Contains(host, "/") {
		return r, false, nil
	}
	r.Host = strings.Trim(host, "[]")
	r.Module, r.Path, found = strings.Cut(p, "/")
	if found && r.Path == "" {
		r.Path = "/"
	}
	return r, true, r.check(arg)
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
	case strings.Contains(r.Host, "@"):
		return fmt.Errorf("%q: a user name in front of the host is not supported yet; leave it out", arg)
	case r.Host == "":
		return fmt.Errorf("%q names no host", arg)
	case strings.ContainsAny(r.Module+r.Path, "\n\x00"):
		return fmt.Errorf("%q has a newline or NUL in it", arg)
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
	port := r.Port
	if port == 0 {
		port = DefaultPort
	}
	return net.JoinHostPort(r.Host, strconv.Itoa(port))
}

func (r Remote) String() string {
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

// argument is how the daemon is asked for this place.
func (r Remote) argument() string {
	if r.Path == "" || r.Path == "/" {
		return r.Module + "/"
	}
	return r.Module + "/" + r.Path
}

// Dial connects to a daemon under the options' limits.
func Dial(ctx context.Context, r Remote, opt *options.Options) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Duration(opt.Contimeout) * time.Second}
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
	conn, err := d.DialContext(ctx, network, r.Address())
	if err == nil {
		return conn, nil
	}
	code := proto.ExitSocketIO
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		code = proto.ExitConnTimeout
	}
	return nil, proto.Failf(code, "connect to %s: %w%s", r.Address(), plain(err), hint(err))
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
