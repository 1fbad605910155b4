package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// TestProgressLines has the lines of --progress with a clock that we set.
func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	r := &Report{
		Printer: Printer{Out: &out, Err: &out, Options: &options.Options{Progress: true, Recurse: true}},
		Heading: "receiving file list", Now: func() time.Time { return now },
	}
	e := &filelist.Entry{Base: "big", Mode: filelist.ModeFile, Size: 100 << 20}
	r.Begin()
	r.Listed(3, true)
	r.Position(1, 3)
	r.Item(e, proto.ItemTransfer|proto.ItemNew)
	for _, step := range []struct {
		after time.Duration
		done  int64
	}{{time.Millisecond, 1 << 20}, {time.Second, 25 << 20}, {100 * time.Millisecond, 30 << 20}, {900 * time.Millisecond, 75 << 20}, {time.Second, 100 << 20}} {
		now = now.Add(step.after)
		r.Data(e, step.done)
	}
	r.Message(proto.TagInfo, "something")
	r.End()
	want := strings.Join([]string{
		"receiving file list ... 3 files to consider\n",
		"big\n",
		"\r              0   0%    0.00kB/s    0:00:00  ",
		"\r     26,214,400  25%   24.98MB/s    0:00:03  ",
		"\r     78,643,200  75%   37.48MB/s    0:00:00  ",
		"\r    104,857,600 100%   33.32MB/s    0:00:00  ",
		"\r    104,857,600 100%   33.32MB/s    0:00:03 (xfr#1, to-chk=1/3)\n",
		"something\n",
	}, "")
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// TestQuiet: nothing is printed under -q but errors.
func TestQuiet(t *testing.T) {
	var out, errOut bytes.Buffer
	o := &options.Options{Quiet: 1, Verbose: 2, Itemize: 1, Progress: true, Stats: true, Recurse: true}
	r := &Report{Printer: Printer{Out: &out, Err: &errOut, Options: o}, Heading: "receiving file list"}
	e := &filelist.Entry{Base: "f", Mode: filelist.ModeFile, Size: 5}
	r.Begin()
	r.Listed(1, true)
	r.Position(0, 1)
	r.Item(e, proto.ItemTransfer)
	r.Data(e, 5)
	r.Deleted("x", filelist.ModeFile)
	r.Message(proto.TagInfo, "hidden")
	r.Message(proto.TagError, "shown")
	r.End()
	if s := (Summary{Options: o, Stats: transfer.Stats{Files: 1}}).String(); out.Len() != 0 || s != "" || errOut.String() != "shown\n" {
		t.Errorf("%q, %q, errors %q", out.String(), s, errOut.String())
	}
	if r.Deletions.Regular != 1 {
		t.Errorf("counted %+v", r.Deletions)
	}
}
