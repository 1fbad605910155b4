package main

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	r := call(t, "--help")
	r.expect(t, 0)
	for _, verb := range []string{"boot", "serve", "pull", "reindex", "version", "install", "setup", "console", "reinstate", "uninstall", "start", "backup", "doctor"} {
		if !strings.Contains(r.out, "\n  "+verb+" ") {
			t.Errorf("the help does not name %s:\n%s", verb, r.out)
		}
		h := call(t, verb, "--help")
		h.expect(t, 0)
		if !strings.Contains(h.out, "Usage: empegsync "+verb) || !strings.Contains(h.out, "Example") || !strings.Contains(h.out, "empegsync "+verb) {
			t.Errorf("%s --help has no example:\n%s", verb, h.out)
		}
	}
	if strings.Contains(r.out, "worker") {
		t.Errorf("the help names what is not for users:\n%s", r.out)
	}
}

var hint = regexp.MustCompile(`^Try "empegsync( [a-z]+)* --help"\.\n$`)

// Wrong command lines end with 2, touch nothing and say what is wrong first.
func TestUsage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                              "expected",
		"frobnicate":                    "frobnicate",
		"pull":                          "<master>",
		"pull host --frobnicate":        "--frobnicate",
		"pull host other":               "other",
		"pull host --timeout=soon":      "soon",
		"pull host --ipv4 --ipv6":       "--ipv",
		"reindex now":                   "now",
		"install --role=king":           "king",
		"install --master=a/b":          "a/b",
		"reinstate now":                 "now",
		"boot --wait-time=1":            "1",
		"serve --frobnicate":            "--frobnicate",
		"version --root=/":              "--root",
		"boot --root=/ --hostname=a..b": "a..b",
	} {
		r := call(t, strings.Fields(line)...)
		first, rest, _ := strings.Cut(r.err, "\n")
		if r.code != 2 || r.out != "" || !strings.HasPrefix(first, "empegsync: ") || !strings.Contains(first, want) {
			t.Errorf("empegsync %s: want 2 and %q: %s", line, want, r)
		}
		if rest != "" && !hint.MatchString(rest) {
			t.Errorf("empegsync %s: more than a line and a hint: %s", line, r)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := call(t, "version")
	r.expect(t, 0)
	for _, want := range []string{"empegsync " + testVersion + ",", fmt.Sprintf("protocol %d to %d,", proto.MinVersion, proto.MaxVersion), "linux/" + runtime.GOARCH} {
		if !strings.Contains(r.out, want) {
			t.Errorf("version lacks %q: %s", want, r.out)
		}
	}
	if strings.Count(r.out, "\n") != 1 {
		t.Errorf("version: %q", r.out)
	}
}
