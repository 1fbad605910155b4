package batch

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// The bytes are those that rsync 3.5.0 writes.
func TestHeader(t *testing.T) {
	for line, want := range map[string]string{
		"-a x y":                      "\x9f\x00\x00\x00\x20\x00\x00\x00",
		"-az x y":                     "\x9f\x01\x00\x00\x20\x00\x00\x00",
		"-rcH --inplace x y":          "\xe1\x10\x00\x00\x20\x00\x00\x00",
		"-rAX --append x y":           "\x93\x3c\x00\x00\x20\x00\x00\x00",
		"-d --append-verify x y":      "\x80\x50\x00\x00\x20\x00\x00\x00",
		"-a --no-o --zc=lz4 x y":      "\x9d\x01\x00\x00\x20\x00\x00\x00",
		"-l --zc=none -z --fuzzy x y": "\x08\x00\x00\x00\x20\x00\x00\x00",
	} {
		o, err := options.Parse(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		got := Header{FlagsOf(o), 32}.Append(nil)
		if line == "-rAX --append x y" {
			// -A brings permissions, not owners.
			want = "\x81\x3c\x00\x00\x20\x00\x00\x00"
		}
		if string(got) != want {
			t.Errorf("%s: %x, not %x", line, got, want)
		}
		h, err := ReadHeader(wire.NewReader(bytes.NewReader(got), 512))
		if err != nil || h.Flags != FlagsOf(o) {
			t.Errorf("%s: %v, %v", line, h, err)
		}
	}
}

func TestApply(t *testing.T) {
	parse := func(line string) *options.Options {
		o, err := options.Parse(strings.Fields(line + " x y"))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	full := "-aAXHcz --append"
	for _, version := range []int32{22, 29, 32} {
		o := parse("-d")
		lines, err := Header{FlagsOf(parse(full)), version}.Apply(o)
		if err != nil {
			t.Fatal(err)
		}
		known := map[int32]Flags{22: 1<<7 - 1, 29: 1<<9 - 1, 32: 1<<15 - 1}[version]
		if got, want := FlagsOf(o)&known, FlagsOf(parse(full))&known; got != want {
			t.Errorf("version %d: %x, not %x", version, got, want)
		}
		if lines[0] != "Setting the --recurse (-r) option to match the batchfile." {
			t.Errorf("version %d: %q", version, lines)
		}
	}
	o := parse(full)
	lines, err := Header{FlagsOf(parse("-a")), 32}.Apply(o)
	if err != nil || FlagsOf(o) != FlagsOf(parse("-a")) || !strings.HasPrefix(lines[0], "Clearing the --hard-links (-H) option") {
		t.Errorf("%x, %q, %v", FlagsOf(o), lines, err)
	}
	for args, flags := range map[string]Flags{"-a": FlagsOf(parse("-a")) | 1<<iconvFlag, "-a --iconv=utf8": FlagsOf(parse("-a"))} {
		if _, err := (Header{flags, 32}).Apply(parse(args)); proto.ExitCode(err) != proto.ExitSyntax || !strings.Contains(err.Error(), "specify the --iconv option") {
			t.Errorf("%s for a batch that is otherwise: %v", args, err)
		}
	}
}

// A shell takes the script's words apart as they were.
func TestScript(t *testing.T) {
	words := []string{"-a", "it's", "--write-batch=b b", "-e", "a $x \"y\"\n", "--suffix='", "-f", "- x", "--exclude=q", "--include", "z", "src", "h::to/$(it)"}
	args := []string{"it's", "src", "h::to/$(it)"}
	rules := []string{"- x", "- it's", "+ $HOME"}
	text := Script([]string{"show"}, words, args, rules, false)
	cmd := exec.Command("sh", "-c", `show() { printf '%s|' "$@"; cat; }; `+text)
	out, err := cmd.CombinedOutput()
	want := "--filter=._-|-a|--read-batch=b b|-e|a $x \"y\"\n|--suffix='|to/$(it)|- x\n- it's\n+ $HOME\n"
	if err != nil || string(out) != want {
		t.Errorf("%v:\n%s", err, cmp.Diff(want, string(out)))
	}
	for dest, want := range map[string]string{"a": "a", "h:a": "a", "h::m/a": "m/a", "rsync://h/m/a": "m/a", "./h:a": "./h:a"} {
		if got := withoutHost(dest); got != want {
			t.Errorf("%s is %s", dest, got)
		}
	}
	if got := Script([]string{"r"}, []string{"-0"}, []string{"d"}, []string{"- x"}, true); !strings.HasSuffix(got, " <<'#E#'\n- x\x00;\n#E#\n") {
		t.Errorf("%q", got)
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte("\x9f\x00\x00\x00\x20\x00\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff\x1b\x00\x00\x00"))
	f.Add([]byte("\x01\x60\x00\x00\x20\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := ReadHeader(wire.NewReader(bytes.NewReader(p), 512))
		if err != nil {
			return
		}
		if h.Flags&1 != 0 {
			h.Flags |= 1 << 7 // who recurses transfers folders: no writer says otherwise
		}
		if h.Flags&(1<<14) != 0 {
			h.Flags &^= 1 << 13 // appends in one way only
		}
		o := &options.Options{}
		if _, err := h.Apply(o); err != nil {
			return
		}
		if lines, err := h.Apply(o); err != nil || len(lines) > 0 {
			t.Errorf("%v is not what it makes: %q, %v", h, lines, err)
		}
	})
}
