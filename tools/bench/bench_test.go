package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// asPeer makes the test's binary the peer that the tool starts as itself.
const asPeer = "BENCH_TEST_IS_PEER"

func TestMain(m *testing.M) {
	if os.Getenv(asPeer) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestQuick does every job in small, but for gokrazy/rsync and the builds for
// other machines, which take too long here: "go run ./tools/bench -quick" does
// them, too.
func TestQuick(t *testing.T) {
	t.Setenv(asPeer, "1")
	dir := t.TempDir()
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"-quick", "-json", "-dir", dir, "-memarch", "", "-fids", "300",
		"-files", "50", "-unchanged", "60", "-nightly", "300", "-jobs", "small,big,same,delta,text,greet,night,emerge,memory", "-ebuilds", "60", "-pairs", "ours-ours,ours-rsync,rsync-ours"}, &out, &errOut)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	var rep report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range rep.Jobs {
		names = append(names, j.Name)
		checkJob(t, j)
	}
	want := []string{"small", "big", "same", "delta", "text", "greet", "night", "emerge cold", "emerge warm", "memory 300 new", "memory 300 same"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("jobs (-want +got):\n%s", d)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestProfiles has our peers write profiles, in a round that does not count.
func TestProfiles(t *testing.T) {
	t.Setenv(asPeer, "1")
	profile := t.TempDir()
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"-quick", "-json", "-dir", t.TempDir(), "-profile", profile,
		"-files", "5", "-jobs", "small", "-pairs", "ours-ours"}, &out, &errOut)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	var rep report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatal(err)
	}
	if n := len(rep.Jobs[0].Pairings[1].Samples); n != 1 {
		t.Errorf("%d rounds count, want 1", n)
	}
	for _, f := range []string{"client.cpu", "client.mem", "server.cpu", "server.mem"} {
		if info, err := os.Stat(filepath.Join(profile, "small.ours-ours."+f)); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v", f, err)
		}
	}
}

// checkJob checks that each pairing's numbers can be true.
func checkJob(t *testing.T, j *jobReport) {
	t.Helper()
	if len(j.Pairings) != 4 {
		t.Errorf("%s: %d pairings, want 4", j.Name, len(j.Pairings))
	}
	for _, p := range j.Pairings {
		if p.Note != "" && j.Name == "text" {
			continue // compression is not there yet
		}
		if len(p.Samples) != 1 {
			t.Errorf("%s, %s: %d samples (%s), want 1", j.Name, p.Pairing, len(p.Samples), p.Note)
			continue
		}
		s := p.Samples[0]
		if s.Wall <= 0 || s.Client.CPU <= 0 || s.Server.CPU <= 0 || s.Client.RSS < 1<<20 || s.Server.RSS < 1<<20 || s.Read <= 0 {
			t.Errorf("%s, %s: %+v", j.Name, p.Pairing, s)
		}
		if whole := int64(4 << 20); j.Name == "big" && s.Read < whole || j.Name == "delta" && s.Read > whole/2 {
			t.Errorf("%s, %s: %d bytes on the wire for a file of %d", j.Name, p.Pairing, s.Read, whole)
		}
	}
}

func TestFlags(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string // part of the error, "" for none
	}{
		{"none", nil, ""},
		{"some", []string{"-jobs", "big,size", "-fids", "1,2", "-pairs", "ours-gokrazy"}, ""},
		{"job", []string{"-jobs", "tiny"}, `no job "tiny"`},
		{"pair", []string{"-pairs", "ours"}, "not CLIENT-SERVER"},
		{"peer", []string{"-pairs", "ours-theirs"}, "not CLIENT-SERVER"},
		{"fids", []string{"-fids", "0"}, "no count"},
		{"size", []string{"-big", "0"}, "at least 1"},
		{"rounds", []string{"-quick", "-rounds", "0"}, "at least 1"},
		{"argument", []string{"small"}, "no argument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseFlags(tt.args, io.Discard)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	c, err := parseFlags([]string{"-quick", "-files", "7", "-pairs", "rsync-rsync,ours-ours,ours-ours"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.files != 7 || c.rounds != 1 || c.bigMiB != 4 || !c.wants("size") {
		t.Errorf("-quick -files 7: %+v", c)
	}
	want := []pairing{{cRsync, cRsync}, {ours, ours}}
	if d := cmp.Diff(want, c.pairings, cmp.AllowUnexported(pairing{})); d != "" {
		t.Errorf("pairings (-want +got):\n%s", d)
	}
}

func TestPeerRefuses(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		args []string
		want proto.Exit
	}{
		{"nothing", nil, proto.ExitSyntax},
		{"no folder", []string{"pull", "--", "-a", "rsync://127.0.0.1:1/mod/"}, proto.ExitSyntax},
		{"no source", []string{"pull", "--", "-a", "here", dir}, proto.ExitSyntax},
		{"unknown option", []string{"pull", "--", "--no-such-option", "rsync://127.0.0.1:1/mod/", dir}, proto.ExitSyntax},
		{"unsupported", []string{"pull", "--", "--copy-as=nobody", "rsync://127.0.0.1:1/mod/", dir}, proto.ExitUnsupported},
		{"no daemon", []string{"pull", "--", "-a", "rsync://127.0.0.1:1/mod/", dir}, proto.ExitSocketIO},
		{"no module", []string{"serve"}, proto.ExitSyntax},
		{"relative", []string{"serve", "-module", "mod=here"}, proto.ExitSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var errOut bytes.Buffer
			if got := peer(t.Context(), tt.args, io.Discard, &errOut); got != int(tt.want) || errOut.Len() == 0 {
				t.Errorf("exit code %d, want %d: %s", got, tt.want, errOut.String())
			}
		})
	}
}

func TestSameTrees(t *testing.T) {
	tests := []struct {
		name   string
		change func(dst string) error
		want   string
	}{
		{"same", func(string) error { return nil }, ""},
		{"missing", func(d string) error { return os.Remove(filepath.Join(d, "big")) }, "no such file"},
		{"more", func(d string) error { return writeFile(filepath.Join(d, "x"), nil, old()) }, "1 files more"},
		{"longer", func(d string) error { return writeFile(filepath.Join(d, "big"), make([]byte, 101), old()) }, "101 bytes"},
		{"newer", func(d string) error { return os.Chtimes(filepath.Join(d, "big"), old(), old().AddDate(1, 0, 0)) }, "in the copy"},
		{"other bytes", func(d string) error { return writeFile(filepath.Join(d, "big"), make([]byte, 100), old()) }, "differ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src, dst := filepath.Join(t.TempDir(), "src"), filepath.Join(t.TempDir(), "dst")
			for _, d := range []string{src, dst} {
				if err := errors.Join(makeTree(d, 3), makeBig(d, 100)); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.change(dst); err != nil {
				t.Fatal(err)
			}
			err := sameTrees(src, dst)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestChangeBlocks(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	const blocks = 250
	if err := errors.Join(makeBig(a, blocks*blockSize), linkTree(a, filepath.Join(b, "link")), makeBig(b, blocks*blockSize),
		changeBlocks(filepath.Join(b, bigName), blocks*blockSize)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(b, "link", bigName))
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(b, bigName))
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := 0; i < len(before); i += blockSize {
		if !bytes.Equal(before[i:i+blockSize], after[i:i+blockSize]) {
			changed++
		}
	}
	if len(before) != len(after) || changed < 1 || changed > blocks/changedPart {
		t.Errorf("%d of %d blocks are changed, %d bytes became %d", changed, blocks, len(before), len(after))
	}
}

func TestTold(t *testing.T) {
	tests := []struct {
		who, out string
		want     account
		fails    bool
	}{
		{cRsync, "Total bytes sent: 12\nTotal bytes received: 1,234,567\n", account{Read: 1234567}, false},
		{cRsync, "nothing\n", account{}, true},
		{ours, `{"read":5,"hwm":6}`, account{5, 6}, false},
		{ours, "", account{}, true},
		{gokrazy, "whatever", account{}, false},
	}
	for _, tt := range tests {
		got, err := told(tt.who, tt.out)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%s, %q: %v, %v; want %v, an error is %v", tt.who, tt.out, got, err, tt.want, tt.fails)
		}
	}
}

func TestParsePeak(t *testing.T) {
	got, err := parsePeak([]byte("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    1234 kB\n"))
	if got != 1234<<10 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	for _, bad := range []string{"Name:\tx\n", "VmHWM:\tx kB\n"} {
		if n, err := parsePeak([]byte(bad)); err == nil {
			t.Errorf("%q gives %d", bad, n)
		}
	}
}

func TestTable(t *testing.T) {
	half := func(list []sample, f float64) []sample {
		var out []sample
		for _, s := range list {
			out = append(out, sample{Wall: s.Wall * f, Client: usage{s.Client.CPU * 3 * f, 13 << 20}, Server: usage{s.Server.CPU * f, 5 << 20}, Read: s.Read})
		}
		return out
	}
	base := []sample{{1, usage{1, 8 << 20}, usage{1, 8 << 20}, 100}, {2, usage{2, 8 << 20}, usage{2, 8 << 20}, 100}, {9, usage{1, 8 << 20}, usage{1, 8 << 20}, 100}}
	rep := report{ARM: 9 << 20, Jobs: []*jobReport{{
		Name: "small", WallGoal: 0.8, CPUGoal: 0.9, MemoryGoal: 12 << 20,
		Pairings: []*pairReport{
			{Pairing: "rsync<-rsync", Samples: base, pairing: baseline()},
			{Pairing: "ours<-ours", Samples: half(base, 0.5), pairing: pairing{ours, ours}},
			{Pairing: "rsync<-ours", Note: "not supported yet", pairing: pairing{cRsync, ours}},
		},
	}}}
	var out strings.Builder
	if err := rep.table(&out); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for l := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(l), " "))
	}
	for _, want := range []string{
		"noise of rsync<-rsync: wall 200%, cpu 50%",
		"rsync<-rsync 1.00 1.00 1.00 1.00 1.000 8.0 8.0",
		"ours<-ours 0.50 1.00 (missed) 1.50 0.50 1.000 13.0 (missed) 5.0",
		"rsync<-ours not supported yet",
		"size: the stripped ARM binary has 9.00 MiB (missed)",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

// What was measured takes the place of what was between the marks.
func TestDocument(t *testing.T) {
	one := func(wall float64) []sample { return []sample{{wall, usage{wall, 8 << 20}, usage{wall, 13 << 20}, 100}} }
	rep := report{ARM: 7 << 20, Jobs: []*jobReport{
		{Name: "big", About: "one file", WallGoal: 0.7, CPUGoal: 1, Pairings: []*pairReport{
			{Samples: one(2), pairing: baseline()}, {Samples: one(1), pairing: pairing{ours, ours}}, {Samples: one(3), pairing: pairing{ours, cRsync}}}},
		{Name: "memory 5", About: "few", MemoryGoal: 12 << 20, Pairings: []*pairReport{
			{Samples: one(2), pairing: baseline()}, {Samples: one(1), pairing: pairing{ours, ours}}}},
		{Name: "text", About: "not done", Pairings: []*pairReport{
			{Samples: one(2), pairing: baseline()}, {Note: "not supported yet", pairing: pairing{ours, ours}}}},
	}}
	name := filepath.Join(t.TempDir(), "doc.md")
	if err := rep.document(name); err == nil {
		t.Error("writes a document that is not there")
	}
	if err := os.WriteFile(name, []byte("before\n"+docEnd+docBegin), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := rep.document(name); err == nil || !strings.Contains(err.Error(), "has no lines") {
		t.Errorf("marks that make no sense: %v", err)
	}
	if err := os.WriteFile(name, []byte("before\n"+docBegin+"\nold\n"+docEnd+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := rep.document(name); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, want := range []string{
		"before\n" + docBegin + "\n\n| job | wall |", "|---|---|", docEnd + "\nafter\n",
		"| big: one file | 0.50 | 0.7 | 0.50 | 1.0 | 1.000 | 8.0 | 13.0 |  | 1.50, 1.50 |  | met |",
		"| memory 5: few | 0.50 |  | 0.50 |  | 1.000 | 8.0 | 13.0 | 12 |  |  | missed: memory |",
		"| size: ARM binary of 7.00 MiB |", "```\n" + rep.circumstances(),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the document lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "\nold\n") || strings.Count(got, "| text: ") != 0 {
		t.Errorf("the document has too much:\n%s", got)
	}
}

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		v    []float64
		q    float64
		want float64
	}{
		{nil, 0.5, 0}, {[]float64{3}, 0.75, 3}, {[]float64{3, 1}, 0.5, 2}, {[]float64{5, 1, 3}, 0.5, 3}, {[]float64{1, 2, 3, 4, 5}, 0.25, 2},
	} {
		if got := quantile(tt.v, tt.q); got != tt.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.v, tt.q, got, tt.want)
		}
	}
}

// A server that does not listen is ended, and the run says why.
func TestServerThatFails(t *testing.T) {
	t.Setenv(asPeer, "1")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := &programs{ours: exe}
	s, addr, err := p.serve(ctx, ours, "relative", t.TempDir(), "")
	if err == nil {
		s.end()
		t.Fatalf("serves a relative folder at %s", addr)
	}
	if !strings.Contains(err.Error(), "serve needs") {
		t.Errorf("error %v does not say why", err)
	}
}
