package logformat

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func event() *Event {
	return &Event{
		Op: Send, Host: "localhost", Address: "127.0.0.1", Module: "mod", Path: "/srv", User: "joe", Name: "d/f", Long: "sub/d/f",
		Entry: filelist.Entry{Dir: "d", Base: "f", Size: 1234567, Mtime: 1e9, Mode: filelist.ModeFile | 0o4754, UID: 7, GID: 8},
		Flags: proto.ItemTransfer | proto.ItemSize, Sent: 999, Sums: 1024, Sum: []byte{1, 0xab}, Algorithm: checksum.XXH64, Sending: true, Times: true, OwnerKept: true,
		GroupKept: true, Now: time.Unix(1.5e9, 0).UTC(),
	}
}

func TestLine(t *testing.T) {
	pid := os.Getpid()
	for format, want := range map[string]string{
		"%o %h [%a] %m (%u) %f %l":   "send localhost [127.0.0.1] mod (joe) sub/d/f 1234567",
		"":                           "",
		"100%":                       "100%",
		"%% %q %-q %99999n %'%n":     "% %q %-q %99999n %n",
		"|%-5n|%5n|%2n|%05n|":        "|d/f  |  d/f|d/f|  d/f|",
		"%'l %''l %'''l %'''c %'''b": "1,234,567 1.23M 1.18M 1.00K 999",
		"|%'12l|%-12l|":              "|   1,234,567|1234567     |",
		"%B %U %G %M %t":             "rwsr-xr-- 7 8 2001/09/09-01:46:40 2017/07/14 02:40:00",
		"%C %i%L %P":                 "ab01 <f.s....... /srv",
		"%09p":                       fmt.Sprintf("%09d", pid),
		"%03U%-3G.":                  "0078  .",
	} {
		if got := Parse(format).Line(event()); got != want {
			t.Errorf("%s\n is %q\nnot %q", format, got, want)
		}
	}
}

func TestLineOfOthers(t *testing.T) {
	e := event()
	e.Entry.Mode, e.OwnerKept, e.GroupKept, e.Sum, e.Link = filelist.ModeDir|0o1776, false, false, nil, "other"
	if got := Parse("%n %U %G %B|%C|%L").Line(e); got != "d/f/ 0 DEFAULT rwxrwxrwT|"+strings.Repeat(" ", 16)+"| => other" {
		t.Errorf("%q", got)
	}
	e.Op = Delete
	if got := Parse("%i%n").Line(e); got != "*deleting  d/f/" {
		t.Errorf("%q", got)
	}
	e = event()
	e.Entry.Mode = filelist.ModeLink | 0o777
	e.Entry.SetTarget("there")
	if got := Parse("%f%L").Line(e); got != "sub/d/f -> there" {
		t.Errorf("%q", got)
	}
	if f := Parse("%o %%i"); f.Has("i") || !f.Has("xo") || f.Has("n") {
		t.Errorf("%+v", f)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("%o %'-10l%%")
	f.Add("%-999n%''''''b%C%i%")
	f.Fuzz(func(t *testing.T, format string) {
		got := Parse(format).Line(event())
		if !strings.Contains(format, "%") && got != format {
			t.Errorf("%q became %q", format, got)
		}
	})
}
