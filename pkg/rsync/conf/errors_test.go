package conf

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrors(t *testing.T) {
	src := files{text: map[string]string{
		"/loop":  "&merge /loop",
		"/bad":   "\n\nlist = maybe",
		"/d/x":   "",
		"/d/z.c": "",
	}}
	for i := range maxIncludes + 1 {
		src.text[fmt.Sprintf("/many/%d.conf", i)] = ""
		src.text[fmt.Sprintf("/enough/%d.conf", i%maxIncludes)] = ""
	}
	const ok = "[a]\npath=/a\n"
	tests := []struct {
		text string
		want []string // each error's text starts like this
	}{
		{ok + "name = b", []string{`rsyncd.conf:3: parameter "name" is not supported yet; give the name in the [header] and remove the line`}},
		{ok + "Read Onyl = no", []string{`rsyncd.conf:3: unknown parameter "Read Onyl" (did you mean "read only"?)`}},
		{ok + "hots allow = x", []string{`rsyncd.conf:3: unknown parameter "hots allow" (did you mean "hosts allow"?)`}},
		{ok + "zzz = 1", []string{`rsyncd.conf:3: unknown parameter "zzz"; remove`}},
		{ok + "port = 1", []string{`rsyncd.conf:3: parameter "port" concerns the whole daemon`}},
		{ok + "list = maybe", []string{`rsyncd.conf:3: parameter "list": "maybe" is not one of yes`}},
		{ok + "list = unset", []string{`rsyncd.conf:3: parameter "list": "unset" is not one of yes`}},
		{ok + "use chroot = x", []string{`rsyncd.conf:3: parameter "use chroot": "x" is not one of yes, no, true, false, 1, 0 or unset`}},
		{ok + "timeout = 10 minutes", []string{`rsyncd.conf:3: parameter "timeout": "10 minutes" is not a whole number`}},
		{ok + "timeout = -1", []string{`rsyncd.conf:3: parameter "timeout": -1 is negative`}},
		{ok + "timeout = 2147483648", []string{`rsyncd.conf:3: parameter "timeout": 2147483648 is larger than 2147483647`}},
		{"port = 65536", []string{`rsyncd.conf:1: parameter "port": 65536 is no port`}},
		{ok + "hello", []string{`rsyncd.conf:3: expected "name = value"`}},
		{ok + "= x", []string{`rsyncd.conf:3: parameter without a name`}},
		{"[]", []string{`rsyncd.conf:1: module header without a name`}},
		{"[a\x00]\npath=/", []string{`rsyncd.conf:1: the line holds a zero byte`}},
		{"&include /many", []string{`rsyncd.conf:1: &include /many: more than 256 files in all`}},
		{"[a\npath=/", []string{`rsyncd.conf:1: module header without a closing ]`}},
		{"[a/b]\npath=/", []string{`rsyncd.conf:1: module name "a/b" contains a slash`}},
		{"[a] x\npath=/", []string{`rsyncd.conf:1: unexpected text after ]`}},
		{"\n[a]\n", []string{`rsyncd.conf:2: module [a] has no path`}},
		{ok + "comment = \x00", []string{`rsyncd.conf:3: the line holds a zero byte`}},
		{ok + "comment = \\\n\\\nx\nfoo = 1", []string{`rsyncd.conf:6: unknown parameter "foo"`}},
		{"&merge", []string{`rsyncd.conf:1: &merge names no file`}},
		{"&frob /x", []string{`rsyncd.conf:1: unknown directive "&frob"`}},
		{"&include /none", []string{`rsyncd.conf:1: &include /none: file does not exist`}},
		{"&merge /bad", []string{`/bad:3: parameter "list"`}},
		{"&merge /loop", []string{`/loop:1: &merge: more than 16 files include each other; does /loop include itself?`}},
		{"foo=1\nbar=2\n[a]\nbaz=3", []string{`rsyncd.conf:1:`, `rsyncd.conf:2:`, `rsyncd.conf:4:`, `rsyncd.conf:3: module [a] has no path`}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			cfg, err := Parse("rsyncd.conf", []byte(tt.text), src)
			if err == nil || cfg != nil {
				t.Fatalf("Parse = %v, %v; want an error and no Config", cfg, err)
			}
			got := strings.Split(err.Error(), "\n")
			for i, w := range tt.want {
				if i >= len(got) || !strings.HasPrefix(got[i], w) {
					t.Errorf("error %d of\n%v\nwant %s", i, err, w)
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("%d errors, want %d:\n%v", len(got), len(tt.want), err)
			}
			if e := (*Error)(nil); !errors.As(err, &e) {
				t.Errorf("%v is no *Error", err)
			}
		})
	}
	if _, err := Parse("rsyncd.conf", []byte("&include /enough"), src); err != nil {
		t.Error(err)
	}
	if _, err := Parse("rsyncd.conf", []byte("&include /d"), nil); err == nil || !strings.Contains(err.Error(), "cannot be used here") {
		t.Errorf("an include without files: %v", err)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	_, err := Parse("f", []byte(strings.Repeat("x=1\n", 10000)), nil)
	if n := strings.Count(err.Error(), "\n") + 1; n != maxErrors+1 {
		t.Errorf("%d errors shown, want %d", n, maxErrors+1)
	}
	if _, err = Parse("f", make([]byte, maxText+1), nil); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file: %v", err)
	}
	var b strings.Builder
	for i := range maxModules + 2 {
		fmt.Fprintf(&b, "[m%d]\npath=/\n", i)
	}
	if _, err = Parse("f", []byte(b.String()), nil); err == nil || !strings.Contains(err.Error(), "f:8193: more than 4096 modules") {
		t.Errorf("too many modules: %v", err)
	}
}

// What is not supported is refused whatever it is set to, so that no parameter
// is ever accepted and ignored.
func TestUnsupported(t *testing.T) {
	for _, p := range Params() {
		if p.Supported() {
			continue
		}
		for _, v := range []string{"", "no", "x", "/x y"} {
			_, err := Parse("f", []byte(p.Name+" = "+v+"\n[a]\npath=/"), nil)
			if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("f:1: parameter %q is not supported yet; ", p.Name)) {
				t.Errorf("%s = %s: %v", p.Name, v, err)
			}
		}
	}
}
