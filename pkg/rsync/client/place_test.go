package client

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func TestParsePlace(t *testing.T) {
	for _, c := range []struct {
		arg   string
		want  Remote
		local bool
		fault string
	}{
		{arg: "host:path", want: Remote{Host: "host", Shell: true, Path: "path"}},
		{arg: "host:", want: Remote{Host: "host", Shell: true}},
		{arg: "user@host:/a b/", want: Remote{User: "user", Host: "host", Shell: true, Path: "/a b/"}},
		{arg: "a@b@host:x", want: Remote{User: "a@b", Host: "host", Shell: true, Path: "x"}},
		{arg: "[::1]:x:y", want: Remote{Host: "::1", Shell: true, Path: "x:y"}},
		{arg: "u@[fe80::1%eth0]:x", want: Remote{User: "u", Host: "fe80::1%eth0", Shell: true, Path: "x"}},
		{arg: "host::mod", want: Remote{Host: "host", Module: "mod"}},
		{arg: "host::mod/", want: Remote{Host: "host", Module: "mod", Path: "/"}},
		{arg: "host::", want: Remote{Host: "host"}},
		{arg: "u@host::mod/a/b", want: Remote{User: "u", Host: "host", Module: "mod", Path: "a/b"}},
		{arg: "[::1]::mod", want: Remote{Host: "::1", Module: "mod"}},
		{arg: "rsync://host", want: Remote{Host: "host"}},
		{arg: "RSYNC://u@host:8730/mod/a%20b", want: Remote{User: "u", Host: "host", Port: 8730, Module: "mod", Path: "a b"}},
		{arg: "rsync://[::1]:99/m/", want: Remote{Host: "::1", Port: 99, Module: "m", Path: "/"}},
		{arg: "rsync://h/100%", want: Remote{Host: "h", Module: "100%"}},
		{arg: "plain", local: true},
		{arg: "./a:b", local: true},
		{arg: "/a:b", local: true},
		{arg: "dir/a::b", local: true},
		{arg: "", local: true},
		{arg: ":x", fault: "names no host"},
		{arg: "-oProxyCommand=x:y", fault: "dash"},
		{arg: "-l@host:y", fault: "dash"},
		{arg: "rsync://host:99999/m", fault: "port"},
		{arg: "host::mod\nx", fault: "newline"},
		{arg: "host:a\x00b", fault: "NUL"},
	} {
		got, ok, err := ParsePlace(c.arg)
		switch {
		case c.fault != "":
			if !ok || err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%q: %v, want %q", c.arg, err, c.fault)
			}
		case ok == c.local || err != nil:
			t.Errorf("%q: remote %v, error %v", c.arg, ok, err)
		case ok:
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%q: -want +got:\n%s", c.arg, d)
			}
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"host:path", "u@[::1]::m/p", "rsync://u@h:1/m/p", "./a:b", "[", "[]:", "@:", "rsync://[", "h:two\nlines"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		r, ok, err := ParsePlace(arg)
		if !ok || err != nil {
			return
		}
		if r.Host == "" || r.Host[0] == '-' || strings.ContainsAny(r.Module, "\n\x00") || strings.Contains(r.Path, "\x00") {
			t.Errorf("%q becomes %+v", arg, r)
		}
		if r.Shell && !strings.HasSuffix(arg, ":"+r.Path) {
			t.Errorf("%q becomes the path %q", arg, r.Path)
		}
	})
}

func TestParseRoute(t *testing.T) {
	host := Remote{Host: "h", Shell: true, Path: "a"}
	for _, c := range []struct {
		args  string
		want  Route
		fault string
	}{
		{args: "a", want: Route{Sources: []string{"a"}}},
		{args: "a b c/", want: Route{Sources: []string{"a", "b"}, Dest: "c/"}},
		{args: "h:a", want: Route{From: []Remote{host}}},
		{args: "h:a .", want: Route{From: []Remote{host}, Dest: "."}},
		{args: "h:a :a h:a d", want: Route{From: []Remote{host, host, host}, Dest: "d"}},
		{args: "u@h::m/a ::m/b d", want: Route{Dest: "d", From: []Remote{{User: "u", Host: "h", Module: "m", Path: "a"}, {User: "u", Host: "h", Module: "m", Path: "b"}}}},
		{args: "a b h:a", want: Route{Sources: []string{"a", "b"}, To: &host}},
		{args: "h:a h:b", fault: "cannot both be remote"},
		{args: "h:a b d", fault: "Unexpected local arg: b"},
		{args: "b h:a d", fault: "Unexpected remote arg: h:a"},
		{args: "h:a i:a d", fault: "All source args must come from the same machine."},
		{args: "h:a h::m d", fault: "All source args must come from the same machine."},
		{args: "", fault: "no source"},
	} {
		got, err := ParseRoute(strings.Fields(c.args))
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || proto.ExitCode(err) != proto.ExitSyntax {
				t.Errorf("%q: %v, want %q", c.args, err, c.fault)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%q: %v, -want +got:\n%s", c.args, err, d)
		}
	}
}

func TestSplitCommand(t *testing.T) {
	for _, c := range []struct {
		command string
		want    []string
	}{
		{"ssh", []string{"ssh"}},
		{"  ssh -p  22 ", []string{"ssh", "-p", "22"}},
		{`sh "a b"' c' 'd''e' "f""g"`, []string{"sh", "a b c", "d'e", `f"g`}},
		{`ssh -o "ProxyCommand=nc '%h'" ''`, []string{"ssh", "-o", "ProxyCommand=nc '%h'", ""}},
		{`a\ b`, []string{`a\`, "b"}},
		{`say "hi`, nil},
		{"", nil},
		{" ", nil},
		{strings.Repeat("x ", maxWords+1), nil},
	} {
		got, err := SplitCommand(c.command)
		if d := cmp.Diff(c.want, got); d != "" || (err == nil) != (c.want != nil) {
			t.Errorf("%q: %v, -want +got:\n%s", c.command, err, d)
		}
	}
}

// TestShellPath has what rsync 3.5.0 hands to a remote shell for these paths.
func TestShellPath(t *testing.T) {
	for p, want := range map[string]string{
		"": ".", "src": "src", `a b*$c;"`: `a\ b*\$c\;\"`, "~": `\~`, "~x": `\~x`, "~x/y": "~x/y", "~/a": "~/a",
		"-d": "./-d", `a\b`: `a\\b`, `a\*b`: `a\*b`, "[x]?*": "[x]?*", "a'b\tc\n": "a\\'b\\\tc\\\n", "{a,b}|<>()`!#&": "\\{a,b\\}\\|\\<\\>\\(\\)\\`\\!\\#\\&",
	} {
		if got := shellPath(p, false); got != want {
			t.Errorf("%q becomes %q, want %q", p, got, want)
		}
	}
}

// TestQuoting has what rsync 3.5.0 sends for paths and options under the
// options that change how.
func TestQuoting(t *testing.T) {
	for _, c := range []struct {
		q                             quoting
		path, option, remote          string
		wantPath, wantOpt, wantRemote string
	}{
		{quoting{}, "a b*", "--groupmap=*:x y", "-x y", `a\ b*`, `--groupmap=\*:x\ y`, `-x\ y`},
		{quoting{old: 1}, "a b*", "--groupmap=*:x y", "-x y", "a b*", `--groupmap=\*:x\ y`, "-x y"},
		{quoting{old: 2}, "-a b*", "--groupmap=*:x y", "-x y", "./-a b*", "--groupmap=*:x y", "-x y"},
		{quoting{secluded: true}, "-a b*", "--groupmap=*:x y", "-x y", "./-a b*", "--groupmap=*:x y", "-x y"},
		{quoting{secluded: true}, "", "-", "", ".", "-", ""},
		{quoting{home: true}, "~", "-", "", "~", "-", ""},
	} {
		if p, o, r := c.q.path(c.path), c.q.option(c.option, false), c.q.option(c.remote, true); p != c.wantPath || o != c.wantOpt || r != c.wantRemote {
			t.Errorf("%+v: %s, %s, %s", c.q, p, o, r)
		}
	}
}
