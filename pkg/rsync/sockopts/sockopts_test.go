package sockopts

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, list, err string }{
		{"", "", ""},
		{" , \t", "", ""},
		{"TCP_NODELAY", "TCP_NODELAY=1", ""},
		{"SO_SNDBUF=65536,TCP_NODELAY=0\tSO_KEEPALIVE", "SO_SNDBUF=65536 TCP_NODELAY=0 SO_KEEPALIVE=1", ""},
		{"IPTOS_LOWDELAY IPTOS_THROUGHPUT=3", "IPTOS_LOWDELAY=16 IPTOS_THROUGHPUT=8", "syntax error -- IPTOS_THROUGHPUT does not take a value"},
		{"so_sndbuf=1 FOO=2 SO_RCVBUF=9", "SO_RCVBUF=9", "Unknown socket option so_sndbuf\nUnknown socket option FOO"},
		{"SO_RCVBUF=much SO_SNDBUF=99999999999 SO_RCVLOWAT=", "", "socket option SO_RCVBUF: \"much\" is not a number\nsocket option SO_SNDBUF: \"99999999999\" is not a number\nsocket option SO_RCVLOWAT: \"\" is not a number"},
	} {
		list, err := Parse(c.text)
		var got []string
		for _, o := range list {
			got = append(got, o.String())
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if d := cmp.Diff([]string{c.list, c.err}, []string{strings.Join(got, " "), text}); d != "" {
			t.Errorf("%q: %s", c.text, d)
		}
	}
}

// Each option of the table reaches the kernel, or the kernel's no is told.
func TestControl(t *testing.T) {
	for _, k := range table() {
		list, err := Parse(k.name)
		if err != nil {
			t.Fatal(err)
		}
		var told error
		lc := net.ListenConfig{Control: Control(list, func(err error) { told = err })}
		ln, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := ln.(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got int
		if err := raw.Control(func(fd uintptr) { got, _ = syscall.GetsockoptInt(int(fd), k.level, k.number) }); err != nil {
			t.Fatal(err)
		}
		ln.Close()
		if told == nil && got == 0 && k.name != "SO_BROADCAST" { // which means nothing to TCP
			t.Errorf("%s is not set", k.name)
		}
		refused := strings.HasSuffix(k.name, "TIMEO") || k.name == "SO_SNDLOWAT" // Linux wants a struct, or sets it itself
		if (told != nil) != refused {
			t.Errorf("%s: %v", k.name, told)
		}
	}
	list, _ := Parse("SO_SNDTIMEO=5")
	lc := net.ListenConfig{Control: Control(list, nil)}
	if _, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v", err)
	}
	if Control(nil, nil) != nil {
		t.Error("no options need no call")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("SO_SNDBUF=65536,TCP_NODELAY")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(text)
		for _, o := range list {
			if again, e := Parse(o.Name); e != nil || len(again) != 1 {
				t.Errorf("%q (%v): %v is not read again: %v", text, err, o, e)
			}
		}
	})
}
