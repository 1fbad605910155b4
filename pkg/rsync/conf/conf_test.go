package conf

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files is a Source made of a map from path to text, and of an environment.
type files struct {
	text map[string]string
	env  map[string]string
}

func (f files) Env(name string) (string, bool) { v, ok := f.env[name]; return v, ok }

func (f files) Read(name string) ([]byte, error) {
	if t, ok := f.text[name]; ok {
		return []byte(t), nil
	}
	return nil, os.ErrNotExist
}

func (f files) List(name string) ([]string, bool, error) {
	if _, ok := f.text[name]; ok {
		return nil, false, nil
	}
	var names []string
	for n := range f.text {
		if path.Dir(n) == name {
			names = append(names, path.Base(n))
		}
	}
	if names == nil {
		return nil, false, os.ErrNotExist
	}
	return names, true, nil
}

func mustParse(t *testing.T, text string, src Source) *Config {
	t.Helper()
	cfg, err := Parse("rsyncd.conf", []byte(text), src)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The file of the guide to keeping two players in step, as printed there.
func TestGuide(t *testing.T) {
	cfg := mustParse(t, `log file = /drive0/rsyncd.log
pid file = /drive0/rsyncd.pid
uid = root
gid = root

[drive0]
    path = /drive0
    use chroot = no
    read only = no

[drive1]
    path = /drive1
    use chroot = no
    read only = no`, nil)
	module := func(name string, line int) Module {
		m := DefaultModule()
		m.Name, m.File, m.Line, m.Path = name, "rsyncd.conf", line, "/"+name
		m.UID, m.GID, m.LogFile, m.UseChroot, m.ReadOnly = "root", "root", "/drive0/rsyncd.log", No, false
		return m
	}
	defaults := DefaultModule()
	defaults.UID, defaults.GID, defaults.LogFile = "root", "root", "/drive0/rsyncd.log"
	want := &Config{
		Global:   Global{PidFile: "/drive0/rsyncd.pid", LogFile: "/drive0/rsyncd.log"},
		Places:   map[string]string{"pid file": "rsyncd.conf:2"},
		Defaults: defaults,
		Modules:  []Module{module("drive0", 6), module("drive1", 11)},
	}
	if d := cmp.Diff(want, cfg); d != "" {
		t.Error(d)
	}
	if m, ok := cfg.Module("drive1"); !ok || m.Path != "/drive1" {
		t.Errorf("Module(drive1) = %v, %v", m, ok)
	}
	if _, ok := cfg.Module("Drive1"); ok {
		t.Error("Module(Drive1) found; clients must name a module exactly")
	}
}

func TestGrammar(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // of each module: name|path|comment
	}{
		{"names fold", "[m]\nP A t H=/a\nCOMMENT = x", "m|/a|x"},
		{"header squeezed", "[ a \t  b ]\npath=/a", "a b|/a|"},
		{"header with comment", "[a] # note\npath=/a", "a|/a|"},
		{"header over two lines", "[a\\\n b]\npath=/a", "a b|/a|"},
		{"a header line is not continued", "[a] #\\\npath=/a", "a|/a|"},
		{"inner space stays", "[a]\npath=/a\ncomment =  x  y   ", "a|/a|x  y"},
		{"hash in value", "[a]\npath=/a\ncomment = x # y", "a|/a|x # y"},
		{"only the first =", "[a]\npath=/a\ncomment = x = y", "a|/a|x = y"},
		{"continued value", "[a]\npath=/a\ncomment = one \\  \n   two\\\nthree", "a|/a|one    twothree"},
		{"continued name", "[a]\npath=/a\ncom\\\n ment = x", "a|/a|x"},
		{"comment not continued", "[a]\npath=/a\n# x \\\ncomment = y", "a|/a|y"},
		{"semicolon comment", "[a]\n ; x\npath=/a", "a|/a|"},
		{"stray backslash", "[a]\n\\ path=/a\n\\\n comment=x", "a|/a|x"},
		{"backslash at the end", "[a]\npath=/a\\", "a|/a|"},
		{"carriage returns", "[a]\r\npath = /a\r\ncomment = x\ry\r\n", "a|/a|xy"},
		{"later wins", "[a]\npath=/a\npath=/b", "a|/b|"},
		{"slashes trimmed", "[a]\npath=/a b //\n[r]\npath=//", "a|/a b |;r|/|"},
		{"inner dot kept", "[a]\npath=/a/./b/", "a|/a/./b|"},
		{"defaults", "comment=d\npath=/d\n[a]\n[b]\ncomment=x", "a|/d|d;b|/d|x"},
		{"global again", "comment=d\n[a]\npath=/a\n[GLO BAL]\ncomment=e\n[b]\npath=/b", "a|/a|d;b|/b|e"},
		{"module again", "[a b]\npath=/a\n[c]\npath=/c\n[AB]\ncomment=x", "a b|/a|x;c|/c|"},
		{"empty value", "comment=d\n[a]\npath=/a\ncomment=", "a|/a|"},
		{"bytes kept", "[\xe9]\npath=/\xff\u00a0", "\xe9|/\xff\u00a0|"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range mustParse(t, tt.text, nil).Modules {
				got = append(got, m.Name+"|"+m.Path+"|"+m.Comment)
			}
			if d := cmp.Diff(tt.want, strings.Join(got, ";")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestValues(t *testing.T) {
	cfg := mustParse(t, `
address = 10.0.0.1
port = 8730
motd file = /etc/motd
[a]
path = /a
read only = FALSE
write only = 1
list = No
use chroot = True
numeric ids = unset
uid = 0
gid = * , audio
timeout = 600
max verbosity = 3
filter = - /x  - /y
include = /z
exclude = *.tmp   core
refuse options = c  delete	!del*
auth users = joe:deny @g
secrets file = /s
auth digest = sha256
strict modes = no
hosts allow = 10.0.0.0/8, ::1
hosts deny = *
reverse lookup = no
forward lookup = no
max connections = -3
lock file = /l
[b]
path = /b
use chroot = -1
numeric ids = 0
`, nil)
	a, b := DefaultModule(), DefaultModule()
	a.Name, a.File, a.Line, a.Path = "a", "rsyncd.conf", 5, "/a"
	a.ReadOnly, a.WriteOnly, a.List, a.UseChroot, a.UID, a.GID = false, true, false, Yes, "0", "* , audio"
	a.Timeout, a.MaxVerbosity, a.Filter, a.Include, a.Exclude = 600, 3, "- /x  - /y", "/z", "*.tmp   core"
	a.RefuseOptions = []string{"c", "delete", "!del*"}
	a.AuthUsers, a.SecretsFile, a.AuthDigest, a.StrictModes = "joe:deny @g", "/s", "sha256", false
	a.HostsAllow, a.HostsDeny, a.ReverseLookup, a.ForwardLookup = "10.0.0.0/8, ::1", "*", false, false
	a.MaxConnections, a.LockFile = -3, "/l"
	b.Name, b.File, b.Line, b.Path, b.NumericIDs = "b", "rsyncd.conf", 30, "/b", No
	want := &Config{
		Global:   Global{Address: "10.0.0.1", Port: 8730, MotdFile: "/etc/motd"},
		Places:   map[string]string{"address": "rsyncd.conf:2", "port": "rsyncd.conf:3", "motd file": "rsyncd.conf:4"},
		Defaults: DefaultModule(),
		Modules:  []Module{a, b},
	}
	if d := cmp.Diff(want, cfg); d != "" {
		t.Error(d)
	}
}

func TestGIDs(t *testing.T) {
	for in, want := range map[string][]string{
		"":                 nil,
		"root":             {"root"},
		"* audio,,12 ":     {"*", "audio", "12"},
		", Some Group, x,": {"Some Group", "x"},
		" , ":              nil,
	} {
		if got := (&Module{GID: in}).GIDs(); !slices.Equal(got, want) {
			t.Errorf("GIDs of %q = %q, want %q", in, got, want)
		}
		if got := (&Module{AuthUsers: in}).Auths(); !slices.Equal(got, want) {
			t.Errorf("Auths of %q = %q, want %q", in, got, want)
		}
	}
}

// The defaults that a module gets are those the table states.
func TestDefaults(t *testing.T) {
	var g Global
	m := DefaultModule()
	for _, p := range Params() {
		if !p.Supported() {
			continue
		}
		before := fmt.Sprintf("%+v %+v", g, m)
		value := p.Default
		if err := store(p.field(&g, &m), p, value); err != nil {
			t.Errorf("%s = %q: %v", p.Name, value, err)
		}
		if after := fmt.Sprintf("%+v %+v", g, m); after != before {
			t.Errorf("storing the default of %s changed\n%s to\n%s", p.Name, before, after)
		}
	}
}

func TestRates(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "0": 0, "1": kib, "1b": 1, "1.5K": 1536, "2m": 2 * mib, "1G": gib, "1048575g": 1<<50 - gib, "1048576g": -1, "1e9": -1, "-1": -1, "nan": -1,
		"inf": -1, "0x1p3": -1, "k": -1, "1 k": -1, "1_0": -1, ".": -1,
	} {
		if n, err := parseRate(text); (err == nil) != (want >= 0) || err == nil && n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

func TestInclude(t *testing.T) {
	src := files{text: map[string]string{
		"/m/one.inc":    "comment = merged",
		"/m/no.conf":    "zzz",
		"/i/b.conf":     "comment = inner\nport = 99\n[b]\npath = /b",
		"/i/a.conf":     "[a]\npath=/a",
		"/i/.h.conf":    "[h]\npath=/h",
		"/i/no.inc":     "zzz",
		"/i/a.conf.bak": "zzz",
	}}
	cfg := mustParse(t, `comment = outer
&include /i
[after]
path = /after
&merge /m
&Include = /i/a.conf
comment = late
[last]
path = /last
`, src)
	var got []string
	for _, m := range cfg.Modules {
		got = append(got, fmt.Sprintf("%s %s:%d %s", m.Name, m.File, m.Line, m.Comment))
	}
	want := []string{
		"h /i/.h.conf:1 outer", "a /i/a.conf:1 outer", "b /i/b.conf:3 inner",
		"after rsyncd.conf:3 merged", "last rsyncd.conf:8 late",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if cfg.Global.Port != 0 {
		t.Errorf("port %d leaked out of an &include", cfg.Global.Port)
	}
}

func TestExpand(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"HOME": "/root", "RSYNC_USER_NAME": "%HOME%", "EMPTY": "", "BIG": strings.Repeat("x", 40<<10)}[name]
		return v, ok
	}
	for in, want := range map[string]string{
		"%HOME% %% %NOPE% %home% 50% %%HOME%% %HO ME%": "/root %% %NOPE% %home% 50% %/root% %HO ME%",
		"/home/%RSYNC_USER_NAME%/x":                    "/home/%HOME%/x",
		"a%EMPTY%b":                                    "ab",
		"%HOME":                                        "%HOME",
		"%BIG%%BIG%":                                   "%BIG%%BIG%",
	} {
		if got := Expand(in, env); got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
	src := files{env: map[string]string{"V": "no", "N": "7"}}
	m := mustParse(t, "[a]\npath=/%V%\nlist=%V%\ntimeout=%N%\nrefuse options = x %W%", src).Modules[0]
	if m.List || m.Timeout != 7 || m.Path != "/%V%" {
		t.Errorf("numbers and booleans are expanded on reading, strings not: %+v", m)
	}
	x := m.Expanded(func(name string) (string, bool) { return "v w", true })
	if d := cmp.Diff([]string{"x", "v", "w"}, x.RefuseOptions); d != "" || x.Path != "/v w" || m.RefuseOptions[1] != "%W%" {
		t.Errorf("%s %q %q", d, x.Path, m.RefuseOptions)
	}
	if g := (Global{LogFile: "%X%"}).Expanded(func(string) (string, bool) { return "/l", true }); g.LogFile != "/l" {
		t.Errorf("global log file %q", g.LogFile)
	}
}

// Text is a file that says the same.
func TestText(t *testing.T) {
	cfg := mustParse(t, "port = 8730\nlog file = /l\ncomment = d\nhosts allow =\n[a]\npath=/a b //\nlist = no\nrefuse options = c !d\n"+
		"numeric ids = no\nmax connections = -1\nbandwidth = 1.5M\nbandwidth per address = 700b\nmax queue = 3\n[b c]\npath=/\nlog file = /m\ncomment =\nread only = no\n", nil)
	text := cfg.Text()
	again := mustParse(t, text, nil)
	if len(cfg.Notes) != 1 || cfg.Notes[0].Line != 4 {
		t.Errorf("notes: %+v", cfg.Notes)
	}
	for _, c := range []*Config{cfg, again} {
		c.Defaults, c.Notes, c.Places = Module{}, nil, nil
		for i := range c.Modules {
			c.Modules[i].Line = 0
		}
	}
	if d := cmp.Diff(cfg, again); d != "" {
		t.Errorf("%s\n%s", d, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("log file = /x\n[a]\n path = /a\n read only = no\n")
	f.Add("[ a  b ]#\n\\ path=/a\\\n/b\ncomment = %X% = \\ \n[global]\n&merge /m\n&include=/m")
	f.Add("timeout=%N%\n[a\n]\nuse chroot=-1\ngid=,a b,*\nrefuse options=* !a\x00")
	f.Fuzz(func(t *testing.T, text string) {
		src := files{text: map[string]string{"/m": text}, env: map[string]string{"X": text}}
		cfg, err := Parse("f", []byte(text), src)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", cfg, err)
		}
		if cfg == nil {
			return
		}
		seen := map[string]bool{}
		for _, m := range cfg.Modules {
			if m.Name == "" || m.Path == "" || strings.ContainsAny(m.Name, "/]\n") || seen[fold(m.Name)] || m.Timeout < 0 {
				t.Fatalf("module %+v", m)
			}
			seen[fold(m.Name)] = true
			m.GIDs()
			m.Expanded(src.Env)
		}
	})
}

// What is to be set over the file counts more than its global part and less than
// its modules; a mistake in it is one in the configuration.
func TestParseOver(t *testing.T) {
	const text = "port = 1\ntimeout = 2\n[a]\npath = /a\n[global]\nmotd file = /m\n[b]\npath = /b\ntimeout = 5\n"
	cfg, err := ParseOver("f", []byte(text), nil, []string{"port=7", "Time Out = 9", "motdfile=/over"})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := cfg.Module("a")
	b, _ := cfg.Module("b")
	if cfg.Global.Port != 7 || a.Timeout != 9 || b.Timeout != 5 || cfg.Global.MotdFile != "/m" {
		t.Errorf("%+v, %+v", cfg.Global, cfg.Modules)
	}
	if cfg, err = ParseOver("f", []byte("port = 1\n"), nil, []string{"port=7"}); err != nil || cfg.Global.Port != 7 {
		t.Errorf("without modules: %+v, %v", cfg, err)
	}
	if _, err = ParseOver("f", []byte(text), nil, []string{"bogus=3"}); err == nil || !strings.Contains(err.Error(), "--dparam:1: unknown parameter \"bogus\"") {
		t.Error(err)
	}
}
