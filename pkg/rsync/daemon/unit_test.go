package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

func TestLogHandler(t *testing.T) {
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.Local)
	pid := " [" + strconv.Itoa(os.Getpid()) + "] "
	tests := []struct {
		name  string
		level slog.Level
		text  string
		with  func(slog.Handler) slog.Handler
		attrs []slog.Attr
		want  string
	}{
		{"plain", slog.LevelInfo, "rsync on drive0/fids", nil, []slog.Attr{slog.String("from", "10.0.0.7")}, "rsync on drive0/fids from=10.0.0.7"},
		{"levels", slog.LevelWarn, "x", nil, nil, "warning: x"},
		{"error", slog.LevelError, "x", nil, nil, "error: x"},
		{"forged line", slog.LevelInfo, "a\nb\x1b[1m\r", nil, []slog.Attr{slog.String("module", "x\n2026")}, `a\nb\x1b[1m\r module="x\n2026"`},
		{"forged value", slog.LevelInfo, "x", nil, []slog.Attr{slog.String("module", "a from=b")}, `x module="a from=b"`},
		{"forged key", slog.LevelInfo, "x", nil, []slog.Attr{slog.Int("a b", 1)}, `x "a b"=1`},
		{"quotes in text", slog.LevelInfo, `say "x"` + "\t", nil, nil, `say "x"\t`},
		{"no text", slog.LevelInfo, "", nil, []slog.Attr{slog.String("v", "")}, ` v=""`},
		{"bytes", slog.LevelInfo, "\xff", nil, []slog.Attr{slog.String("v", "\xfe")}, `\xff v="\xfe"`},
		{"umlaut", slog.LevelInfo, "ä", nil, []slog.Attr{slog.String("v", "ö")}, "ä v=ö"},
		{"right to left", slog.LevelInfo, "a\u202eb", nil, nil, `a\u202eb`},
		{"error value", slog.LevelInfo, "x", nil, []slog.Attr{slog.Any("err", errors.New("a b"))}, `x err="a b"`},
		{"with", slog.LevelInfo, "x", func(h slog.Handler) slog.Handler {
			return h.WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("g").WithGroup("").WithAttrs([]slog.Attr{slog.Int("b", 2)})
		}, []slog.Attr{slog.Int("c", 3), {}, slog.Group("h", slog.Int("d", 4)), slog.Group("", slog.Int("e", 5))}, "x a=1 g.b=2 g.c=3 g.h.d=4 g.e=5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			h := NewLogHandler(&out)
			if tt.with != nil {
				h = tt.with(h)
			}
			r := slog.NewRecord(at, tt.level, tt.text, 0)
			r.AddAttrs(tt.attrs...)
			if err := h.Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff("2026/11/22 06:00:00"+pid+tt.want+"\n", out.String()); d != "" {
				t.Error(d)
			}
		})
	}
	var out bytes.Buffer
	log := slog.New(NewLogHandler(&out))
	log.Debug("not shown")
	log.Info(strings.Repeat("x", 100_000), "a", strings.Repeat("y", 100_000))
	if out.Len() != maxLogLine || !strings.HasSuffix(out.String(), "...\n") {
		t.Errorf("%d bytes: ...%q", out.Len(), out.String()[max(0, out.Len()-20):])
	}
}

func FuzzLogLine(f *testing.F) {
	f.Add("rsync on x", "from", "a b")
	f.Add("\n\r\x00", "k\n", "v=\u2028\u202e")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		var out bytes.Buffer
		slog.New(NewLogHandler(&out)).Info(text, key, value)
		line, ok := strings.CutSuffix(out.String(), "\n")
		if !ok || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 }) {
			t.Fatalf("line %q", out.String())
		}
	})
}

func TestRequested(t *testing.T) {
	for arg, want := range map[string][]string{
		"mod":                   {""},
		"mod/":                  {""},
		"/mod/a":                {"a"},
		"mod/a/":                {"a/"},
		"mod//a//b":             {"a/b"},
		"mod/./a/.":             {"a/"},
		"mod/..":                {""},
		"mod/../../a":           {"a"},
		"mod/a/..":              {""},
		"mod/a/b/..":            {"a/"},
		"mod/mod/x":             {"mod/x"},
		"modern/x":              {"modern/x"},
		"mod/one mod/two":       {"one", "two"},
		"mod/one modern/two":    {"one modern/two"},
		"mod/a b/ mod/../../c/": {"a b/", "c/"},
		"/etc/passwd":           {"etc/passwd"},
		"":                      {""},
	} {
		if got := requested("mod", arg, false); !slices.Equal(got, want) {
			t.Errorf("%q = %q, want %q", arg, got, want)
		}
	}
}

func FuzzRequested(f *testing.F) {
	f.Add("mod", "mod/a mod/b/../../c/.")
	f.Add("m m", "m m/\x00/..")
	f.Fuzz(func(t *testing.T, module, arg string) {
		for _, p := range requested(module, arg, false) {
			if p = strings.TrimSuffix(p, "/"); p == "" || len(p) > 4095 || strings.Contains(p, "\x00") {
				continue // rootfs refuses these
			}
			if err := rootfs.CheckPath(p); err != nil {
				t.Fatalf("%q: %v", p, err)
			}
		}
	})
}

func TestModuleRules(t *testing.T) {
	merge := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(merge, []byte("- *.m\n+ /keep.m2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	type ask struct {
		path string
		dir  bool
		side filter.Side
	}
	s, r := filter.Sender, filter.Receiver
	for _, tt := range []struct {
		name      string
		m         conf.Module
		open, not []ask
	}{
		{"exclude", conf.Module{Exclude: "*.tmp  /top\tdir/"}, []ask{{"a", false, s}, {"sub/top", false, s}, {"dir", false, s}},
			[]ask{{"x/y.tmp", false, r}, {"top", false, s}, {"top/below", false, r}, {"dir", true, s}, {"dir/x", false, r}, {"a/dir/b/c", false, r}}},
		{"include first", conf.Module{Include: "/a/ *.txt", Exclude: "*"}, []ask{{"a", true, s}, {"a/b.txt", false, s}}, []ask{{"a/b", false, s}, {"b/c.txt", false, s}}},
		{"prefixes", conf.Module{Include: "- x", Exclude: "+ y *"}, []ask{{"y", false, s}}, []ask{{"x", false, s}, {"z", false, s}}},
		{"filter first", conf.Module{Filter: "+ /a  - /b", Exclude: "/a /c"}, []ask{{"a", false, s}}, []ask{{"b", false, s}, {"c", false, r}}},
		{"long names", conf.Module{Filter: "include /a exclude,s /b protect /c hide,/ /d"}, []ask{{"a", false, s}, {"b", false, r}, {"c", false, s}, {"d", false, r}},
			[]ask{{"b", false, s}, {"c", false, r}, {"d", false, s}}},
		{"merge", conf.Module{Filter: "merge " + merge + " - /z"}, []ask{{"keep.m2", false, s}}, []ask{{"a/b.m", false, s}, {"z", false, r}}},
		{"clear", conf.Module{Filter: "- /a ! - /b"}, []ask{{"a", false, s}}, []ask{{"b", false, s}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := moduleRules(&tt.m)
			if err != nil {
				t.Fatal(err)
			}
			scope := rules.Scope("/", nil)
			for i, list := range [][]ask{tt.open, tt.not} {
				for _, a := range list {
					if got := (moduleScope{daemon: scope, side: a.side}).closed(a.path, a.dir); got != (i == 1) {
						t.Errorf("closed(%+v) = %v", a, got)
					}
				}
			}
		})
	}
	if rules, err := moduleRules(&conf.Module{Filter: " ", Exclude: " "}); rules != nil || err != nil {
		t.Errorf("without rules: %v, %v", rules, err)
	}
}

// TestScope: below a push's destination both lists of rules count.
func TestScope(t *testing.T) {
	module, err := moduleRules(&conf.Module{Exclude: "/in/secret/ *.hid"})
	if err != nil {
		t.Fatal(err)
	}
	client := filter.New(filter.Options{})
	if err := client.Add("- *.mine"); err != nil {
		t.Fatal(err)
	}
	if err := client.Add("-p *.fleeting"); err != nil {
		t.Fatal(err)
	}
	s := moduleScope{daemon: module.Scope("/", nil), client: transfer.NewClientRules(client, nil, ""), side: filter.Receiver, prefix: "in"}
	for _, tt := range []struct {
		path                       string
		refused, protected, doomed bool
	}{
		{"a", false, false, false},
		{"secret/x", true, true, true}, // no one has named the folder
		{"sub/secret/x", false, false, false},
		{"x.hid", true, true, true},
		{"x.mine", false, true, true},
		{"x.fleeting", false, true, false},
	} {
		if got := s.Refused(tt.path, false); got != tt.refused {
			t.Errorf("Refused(%q) = %v", tt.path, got)
		}
		if got := s.Protected(tt.path, false, false); got != tt.protected {
			t.Errorf("Protected(%q) = %v", tt.path, got)
		}
		if got := s.Protected(tt.path, false, true); got != tt.doomed {
			t.Errorf("Protected(%q), doomed = %v", tt.path, got)
		}
	}
}

// A client hears which of its rules decide, and nothing of what the module hides,
// whatever it says of that itself.
func TestScopeExplains(t *testing.T) {
	module, err := moduleRules(&conf.Module{Exclude: "*.hid"})
	if err != nil {
		t.Fatal(err)
	}
	client := filter.New(filter.Options{})
	for _, rule := range []string{"+ a.hid", "- *.mine", "- b.hid"} {
		if err := client.Add(rule); err != nil {
			t.Fatal(err)
		}
	}
	rules := transfer.NewClientRules(client, nil, "")
	from := &transfer.Source{}
	sends := moduleScope{daemon: module.Scope("/", nil), client: rules, side: filter.Sender}
	receives := moduleScope{daemon: module.Scope("/", nil), client: rules, side: filter.Receiver}
	for name, want := range map[string][2]string{
		"a.hid": {}, "b.hid": {}, "other": {}, ".": {},
		"x.mine": {"[sender] hiding file x.mine because of pattern *.mine", "[generator] protecting file x.mine because of pattern *.mine"},
	} {
		if got := [2]string{sends.WhyHidden(from, name, false), receives.WhyProtected(name, false, false)}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	lookup := func(name string) (string, error) {
		if name == "root" {
			return "0", nil
		}
		return "", errors.New("unknown")
	}
	for name, want := range map[string]struct {
		n  uint32
		ok bool
	}{
		"root": {0, true}, "17": {17, true}, "4294967294": {math.MaxUint32 - 1, true},
		"4294967295": {0, false}, "99999999999": {0, false}, "-1": {0, false}, "x": {0, false}, "*": {0, false},
	} {
		if n, ok := resolve(name, lookup); ok != want.ok || ok && n != want.n {
			t.Errorf("resolve(%q) = %d, %v", name, n, ok)
		}
	}
}

func TestIdentity(t *testing.T) {
	self := identity{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	num := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	id, err := identify(&conf.Module{UID: num(self.UID), GID: num(self.GID)})
	if err != nil || !id.same || id.check() != nil {
		t.Errorf("ourselves: %+v, %v", id, err)
	}
	id, err = identify(&conf.Module{UID: num(self.UID), GID: num(self.GID) + ", 12345"})
	if err != nil || !slices.Equal(id.Groups, []uint32{self.GID, 12345}) {
		t.Errorf("two groups: %+v, %v", id, err)
	}
	id, err = identify(&conf.Module{UID: "0", GID: "*"})
	if err != nil || id.UID != 0 || id.GID != 0 || len(id.Groups) == 0 {
		t.Errorf("root with all groups: %+v, %v", id, err)
	}
	for _, m := range []conf.Module{{UID: "no such user\n"}, {GID: "no such group"}, {UID: "3999999999", GID: "*"}} {
		if _, err := identify(&m); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", m, err)
		}
	}
	other := identity{UID: self.UID + 1, GID: self.GID}
	if err := other.check(); (err == nil) != (self.UID == 0) {
		t.Errorf("check: %v", err)
	}
}

// TestJob: every string of a job comes through, whatever its bytes.
func TestJob(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	var m conf.Module
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(strconv.Itoa(i) + string(all) + "ä")
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"a\xff", "b"}))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(int64(i))
		}
	}
	want := Job{Module: m, Version: 31, Early: all, From: "::1", Umask: 0o22, UID: 1, GID: 2, Groups: []uint32{2, 3}, Hello: time.Second}
	text, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if m.RefuseOptions[0] != "a\xff" {
		t.Errorf("encoding changed the module: %q", m.RefuseOptions)
	}
	got, err := readJob(io.MultiReader(bytes.NewReader(text), strings.NewReader("open")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestTame: a client cannot have any number of threads, nor of log lines.
func TestTame(t *testing.T) {
	opt, err := options.ParseServer(strings.Fields("--server --sender -vvvre.LsfxCIvu --compress-threads=256 . m/"), options.Refusal{})
	if err != nil {
		t.Fatal(err)
	}
	tame(opt, &conf.Module{MaxVerbosity: 2})
	if opt.Verbose != 2 || opt.CompressThreads != 8 {
		t.Errorf("verbose %d, %d threads", opt.Verbose, opt.CompressThreads)
	}
}

// TestHookValues: a session's value that a shell could take for more is in no
// command, whatever stands around it, and one that is harmless is.
func TestHookValues(t *testing.T) {
	expand := func(value string) (string, error) {
		h := hooks{session: &session{user: value}, module: &conf.Module{}}
		return h.expand("log '%RSYNC_USER_NAME%' $(%NO_SUCH_NAME%)")
	}
	const plain = "joe.d@EXAMPLE-1_x:y,z+%=^/ä\u00a0"
	if text, err := expand(plain); err != nil || text != "log '"+plain+"' $(%NO_SUCH_NAME%)" {
		t.Errorf("a harmless value: %q, %v", text, err)
	}
	for c := range rune(0x80) {
		if text, err := expand("a" + string(c) + "b"); err == nil && (c <= ' ' || c == 0x7f || strings.ContainsRune("'\"`$\\;&|<>()*?[]#!~{}", c)) {
			t.Errorf("%q: %q", c, text)
		}
	}
}

func TestLetters(t *testing.T) {
	for args, want := range map[string]string{
		"--server -vlogDtpre.iLsfxCIvu . x": "iLsfxCIvu", "--server -r . -e.x": "", "--server": "", "--log-format=e.x": "", "-e": "",
	} {
		if got := letters(strings.Fields(args)); got != want {
			t.Errorf("%s: %q", args, got)
		}
	}
}
