package daemon_test

import (
	"io"
	"net"
	"strings"
	"testing"
)

// behind puts a proxy in front of a daemon: it says head before the client's
// bytes.
func behind(t *testing.T, addr, head string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer far.Close()
				if _, err := io.WriteString(far, head); err != nil {
					return
				}
				go func() {
					_, _ = io.Copy(far, near)
					_ = far.(*net.TCPConn).CloseWrite()
				}()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
	return ln.Addr().String()
}

// Behind a proxy the client is whom the proxy says it calls for, if the proxy
// may say so.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	const head = "PROXY TCP4 192.0.2.7 198.51.100.1 5000 873\r\n"
	for name, c := range map[string]struct {
		conf, head string
		ok         bool
		log        string
	}{
		"allowed":     {"proxy protocol = yes\nproxy protocol hosts = 127.0.0.1\n[m]\nhosts allow = 192.0.2.7\n", head, true, "192.0.2.7"},
		"denied":      {"proxy protocol = yes\nproxy protocol hosts = 127.0.0.1\n[m]\nhosts deny = 192.0.2.0/24\n", head, false, "192.0.2.7"},
		"no head":     {"proxy protocol = yes\nproxy protocol hosts = 127.0.0.1\n[m]\n", "", false, "PROXY"},
		"not trusted": {"proxy protocol = yes\nproxy protocol hosts = 10.0.0.1\n[m]\n", head, false, "proxy protocol hosts"},
		"not asked":   {"[m]\n", head, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t).write(map[string]string{"m/f": "x", "d/": ""})
			s := p.ours(p.conf(c.conf+"path = @DIR@/m\n"), nil)
			out, code := p.rsync(behind(t, s.addr, c.head), "-r", "@URL@/m/", "d/")
			if (code == 0) != c.ok {
				t.Errorf("exit code %d: %s", code, out)
			}
			eventually(t, "the log of "+c.log, func() bool { return strings.Contains(s.log.String(), c.log) })
			if c.ok != (p.read("d/f") == "x") {
				t.Errorf("the file: %q", p.read("d/f"))
			}
		})
	}
}
