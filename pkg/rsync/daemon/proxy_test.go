package daemon

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// head2 is a head of version 2.
func head2(command, family byte, rest ...byte) string {
	return string(proxyMark[:]) + string([]byte{0x20 | command, family, byte(len(rest) >> 8), byte(len(rest))}) + string(rest)
}

func TestReadProxy(t *testing.T) {
	v4 := []byte{192, 0, 2, 7, 198, 51, 100, 1, 0, 80, 3, 105}
	v6 := append(net.ParseIP("2001:db8::7"), append(net.ParseIP("2001:db8::1"), 0, 80, 3, 105)...)
	longest := "PROXY UNKNOWN " + strings.Repeat("x", maxProxyLine-len("PROXY UNKNOWN \r\n")) + "\r\n"
	for head, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 5000 873\r\n":  "192.0.2.7",
		"PROXY TCP6 2001:db8::7 2001:db8::1 5000 873\r\n": "2001:db8::7",
		"PROXY UNKNOWN\r\n":                                "invalid IP",
		"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n":            "invalid IP",
		head2(1, 0x11, v4...):                              "192.0.2.7",
		head2(1, 0x11, append(v4, 1, 0, 1, 'x')...):        "192.0.2.7",
		head2(1, 0x21, v6...):                              "2001:db8::7",
		head2(0, 0, v4...):                                 "invalid IP",
		"@RSYNCD: 31.0\n":                                  "",
		"PROXY TCP4 2001:db8::7 198.51.100.1 5000 873\r\n": "",
		"PROXY TCP4 192.0.2.7 198.51.100.1\r\n":            "",
		"PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n":  "",
		"PROXY TCP4 192.0.2.7 198.51.100.1 5000 873\n":     "",
		longest: "invalid IP",
		"PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n": "",
		"PROXY TCP6 fe80::7%eth0 fe80::1 5000 873\r\n":      "",
		"PROXY TCP4 ::ffff:192.0.2.7 ::1 5000 873\r\n":      "",
		"PROXY UDP6 2001:db8::7 2001:db8::1 5000 873\r\n":   "",
		"PROXY UDP4 192.0.2.7 198.51.100.1 5000 873\r\n":    "",
		"QROXY TCP4 192.0.2.7 198.51.100.1 5000 873\r\n":    "",
		head2(0, 0, make([]byte, maxProxyHead)...):          "invalid IP",
		head2(0, 0, make([]byte, maxProxyHead+1)...):        "",
		head2(1, 0x21, v6[:35]...):                          "",
		head2(1, 0x12, v4...):                               "",
		head2(1, 0x11, v4[:8]...):                           "",
		head2(2, 0x11, v4...):                               "",
		string(proxyMark[:]) + "\x11\x11\x00\x0c":           "",
		string(proxyMark[:]) + "\x21\x11\xff\xff":           "",
		"": "",
	} {
		r := strings.NewReader(head + "@RSYNCD: 31.0\n")
		addr, err := readProxy(r)
		if (err == nil) != (want != "") || err == nil && addr.String() != want {
			t.Errorf("%q: %v, %v", head, addr, err)
		}
		if rest, _ := io.ReadAll(r); err == nil && string(rest) != "@RSYNCD: 31.0\n" {
			t.Errorf("%q: left %q", head, rest)
		}
	}
}

func FuzzReadProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 5000 873\r\n"))
	f.Add([]byte(head2(1, 0x11, make([]byte, 12)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := readProxy(bytes.NewReader(b)); err == nil && a.IsValid() && a.Zone() != "" {
			t.Errorf("%q: %v", b, a)
		}
	})
}
