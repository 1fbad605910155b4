package synk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// whole is what a line can say, with names that are not UTF-8.
func whole() Answer {
	c := text("x", 12.5)
	c.Ctime = Time{Sec: 3, Nsec: 4}
	link := Copy{Content: Content{Kind: Link, Target: "\xff"}, Mtime: Time{Sec: -5}, Mode: 0o777}
	top := report("/t", Copy{Content: Content{Kind: Dir}})
	return Answer{Synk: Version, Now: Stamp{5, 6}, UID: 7, Rsync: "x rsync", Top: &top, Files: []Report{
		report("a b\n", c), report("\xff\xfe", link), report("no", Copy{Err: "why"}), report("absent", Copy{}),
	}}
}

func TestAnswerRoundTrip(t *testing.T) {
	a := whole()
	line, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadAnswer(bytes.NewReader(line))
	if diff := cmp.Diff(a, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	s, err := got.snapshot("h", false)
	if err != nil || len(s.Copies) != 4 || s.Copies["\xff\xfe"].Target != "\xff" || s.Copies["no"].Err != "why" {
		t.Errorf("%v: %+v", err, s)
	}
}

func TestAnswerRefuses(t *testing.T) {
	for line, want := range map[string]string{
		`{"synk":2}`:                              "version 2",
		`{"synk":1,"error":"no"}`:                 "no",
		`{"synk":1,"now":[0,-1]}`:                 "nanoseconds",
		`{"synk":1`:                               "unexpected EOF",
		`{"synk":1,"files":[{"path":["a","b"]}]}`: "one string",
	} {
		if _, err := ReadAnswer(strings.NewReader(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	for line, want := range map[string]string{
		`{"path":""}`:                                               "no path",
		`{"path":"a","kind":"file"}`:                                "does not fit",
		`{"path":"a","kind":"odd"}`:                                 "does not fit",
		`{"path":"a","kind":"dir","mode":65536}`:                    "mode",
		`{"path":"a","kind":"dir","mtime":[1000000000000000000,0]}`: "seconds",
		`{"path":"a","kind":"link"}`:                                "does not fit",
		`{"path":"a","kind":"dir","size":-1}`:                       "size",
		`{"path":"a","kind":"dir","mtime":[-1,9999999999]}`:         "nanoseconds",
	} {
		a, err := ReadAnswer(strings.NewReader(`{"synk":1,"files":[` + line + `]}`))
		if err == nil {
			_, err = a.snapshot("h", false)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	line, err := json.Marshal(whole())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"synk":1,"files":[{"path":["//79"],"kind":"link","target":"eA=="}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ReadAnswer(bytes.NewReader(data))
		if err != nil {
			return
		}
		s, err := a.snapshot("h", false)
		if err != nil {
			return
		}
		for p, c := range s.Copies {
			if again, err := report(p, c).copy(); err != nil || c.Err == "" && again != c {
				t.Fatalf("%q: %v: %+v, then %+v", p, err, c, again)
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"synk":1,"files":["/a",["//79"]]}`))
	f.Add([]byte(`{"synk":1,"tree":"/t","remove":[{"path":"a","kind":"dir"}],"backup":"/b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := ReadRequest(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, r := range q.Remove {
			if q.Tree == "" || r.Path == "" || r.Kind == Absent {
				t.Fatalf("%+v", q)
			}
		}
	})
}

func FuzzStock(f *testing.F) {
	f.Add("synk-stock 1\x00123.5\x000\x00file\x00" + strings.Repeat("ab", 64) + "  -\x00644 5 10 11 10.25 11.5 0 0 root root\x00\x00\x00/a b\x00")
	f.Add("synk-stock 1\x00123\x005\x00link\x00\x00777 5 10 11 ? ? 0 0 UNKNOWN UNKNOWN\x00to\n.\x00\x00/a b\x00")
	f.Add("synk-stock 1\x00123.%N\x005\x00\x00\x00\x00\x00\x00/a b\x00")
	f.Add("synk-stock 1\x00123\x005\x00dir\x00\x00755 5 10 11 10 11 0 0 a b\x00\x00\x00.\x00dir\x00\x00755 5 10 11 10 11 0 0 a b\x00\x00\x00./a b\x00synk-end\x00")
	f.Fuzz(func(t *testing.T, data string) {
		snap, _, _, err := readStock(strings.NewReader(data), Request{Files: []Name{"/a b"}})
		if err == nil && len(snap.Copies) != 1 {
			t.Fatalf("%+v", snap)
		}
		snap, _, _, err = readStock(strings.NewReader(data), Request{Tree: "/t"})
		for name := range snap.Copies {
			if err == nil && !filepath.IsLocal(name) {
				t.Fatalf("%q: %+v", name, snap)
			}
		}
	})
}

func FuzzState(f *testing.F) {
	st := State{"a": {Content: text("x", 1).Content, Hosts: map[string]bool{"h": true}, Stale: map[string]Content{"i": {Kind: Dir}}}}
	var b bytes.Buffer
	if err := st.Write(&b, "/t"); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := ReadState(bytes.NewReader(data), "/t")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := st.Write(&b, "/t"); err != nil {
			t.Fatal(err)
		}
		again, err := ReadState(&b, "/t")
		if diff := cmp.Diff(st, again); diff != "" || err != nil {
			t.Fatalf("%v: %s", err, diff)
		}
	})
}

func FuzzConf(f *testing.F) {
	f.Add("peer keel\npeer me@[::1] 22 # mine\n")
	f.Fuzz(func(t *testing.T, text string) {
		peers, err := ReadConf("c", io.LimitReader(strings.NewReader(text), 1<<16))
		for _, p := range peers {
			if err == nil && (p.Host == "" || p.Host[0] == '-' || p.Port < 0 || p.Port > 65535) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func TestConf(t *testing.T) {
	for in, want := range map[string]string{
		"peer keel\n\n # none\npeer me@phobos 2222 # far": "[{keel 0} {me@phobos 2222}]",
		"peer ::1\npeer me@[fe80::1] 1":                   "[{::1 0} {me@fe80::1 1}]",
		"host keel":                                       "c:1: want",
		"peer keel\npeer -oProxyCommand=x":                "c:2: host",
		"peer a b c":                                      "c:1: want",
		"peer a 65536":                                    "port",
		"peer $(x)":                                       "no host's name",
		"peer a:b":                                        "no host's name",
		"peer me@fe80::1%eth0":                            "[{me@fe80::1%eth0 0}]",
		"peer fe80::1%$(x)":                               "no host's name",
		"peer localhost":                                  "takes part anyway",
	} {
		peers, err := ReadConf("c", strings.NewReader(in))
		got := strings.TrimSpace(strings.Join(strings.Fields(sprint(peers, err)), " "))
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := (Peer{Host: "me@fe80::1"}).address(); got != "me@[fe80::1]" {
		t.Error(got)
	}
}

func sprint(peers []Peer, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(peers)
}
