// Package sockopts reads the socket options that "socket options" of
// rsyncd.conf and --sockopts name, and sets them.
//
//	list, err := sockopts.Parse("TCP_NODELAY, SO_SNDBUF=65536")
//	if err != nil {
//		return err // or go on with the rest, as C rsync does
//	}
//	dialer.Control = sockopts.Control(list, func(err error) { ... })
package sockopts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// Option is a socket option with its value, as for setsockopt(2).
type Option struct {
	Name  string
	Value int

	level, number int
}

// Mistake is what is wrong with a word of a list, as C rsync says it.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// String gives the option as Parse reads it, but for those that take no value.
func (o Option) String() string { return o.Name + "=" + strconv.Itoa(o.Value) }

// known is what an option is called and what it takes. // socket.c:socket_options
type known struct {
	name          string
	level, number int
	on            int // the value of an option that takes none; 0: it takes one
}

func table() []known {
	const (
		sock       = syscall.SOL_SOCKET
		lowDelay   = 0x10 // ip(7), IP_TOS
		throughput = 0x08
	)
	return []known{
		{"SO_KEEPALIVE", sock, syscall.SO_KEEPALIVE, 0},
		{"SO_REUSEADDR", sock, syscall.SO_REUSEADDR, 0},
		{"SO_BROADCAST", sock, syscall.SO_BROADCAST, 0},
		{"TCP_NODELAY", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0},
		{"IPTOS_LOWDELAY", syscall.IPPROTO_IP, syscall.IP_TOS, lowDelay},
		{"IPTOS_THROUGHPUT", syscall.IPPROTO_IP, syscall.IP_TOS, throughput},
		{"SO_SNDBUF", sock, syscall.SO_SNDBUF, 0},
		{"SO_RCVBUF", sock, syscall.SO_RCVBUF, 0},
		{"SO_SNDLOWAT", sock, syscall.SO_SNDLOWAT, 0},
		{"SO_RCVLOWAT", sock, syscall.SO_RCVLOWAT, 0},
		{"SO_SNDTIMEO", sock, syscall.SO_SNDTIMEO, 0},
		{"SO_RCVTIMEO", sock, syscall.SO_RCVTIMEO, 0},
	}
}

// Parse reads a list: names, each with "=number" or not, between white space and
// commas. An option without a number is switched on. The error joins all
// mistakes, in C rsync's words; the list has what is good, and an option that is
// given a value it does not take. // socket.c:set_socket_options
func Parse(text string) ([]Option, error) {
	var list []Option
	var errs []error
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,", r) }) {
		name, number, has := strings.Cut(word, "=")
		k, ok := find(name)
		if !ok {
			errs = append(errs, Mistake("Unknown socket option "+name))
			continue
		}
		o := Option{Name: name, Value: 1, level: k.level, number: k.number}
		switch {
		case k.on != 0:
			o.Value = k.on
			if has {
				errs = append(errs, Mistake("syntax error -- "+name+" does not take a value"))
			}
		case has:
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				errs = append(errs, Mistake(fmt.Sprintf("socket option %s: %q is not a number", name, number)))
				continue
			}
			o.Value = int(n)
		}
		list = append(list, o)
	}
	return list, errors.Join(errs...)
}

func find(name string) (known, bool) {
	for _, k := range table() {
		if k.name == name {
			return k, true
		}
	}
	return known{}, false
}

// Set sets the option on a socket.
func (o Option) Set(fd uintptr) error {
	if err := syscall.SetsockoptInt(int(fd), o.level, o.number, o.Value); err != nil {
		return fmt.Errorf("failed to set socket option %s: %w", o.Name, err)
	}
	return nil
}

// Control makes of a list what [net.Dialer] and [net.ListenConfig] call before a
// socket is used. An option that cannot be set goes to report, and the others
// are set all the same; with a nil report it is the end of the connection.
func Control(list []Option, report func(error)) func(network, address string, conn syscall.RawConn) error {
	if len(list) == 0 {
		return nil
	}
	return func(_, _ string, conn syscall.RawConn) error {
		var errs []error
		err := conn.Control(func(fd uintptr) {
			for _, o := range list {
				switch err := o.Set(fd); {
				case err != nil && report != nil:
					report(err)
				case err != nil:
					errs = append(errs, err)
				}
			}
		})
		return errors.Join(append(errs, err)...)
	}
}
