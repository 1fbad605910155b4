package options

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIconv(t *testing.T) {
	for _, tt := range []struct{ line, env, local, told string }{
		{"", "", "", ""}, {"--iconv=utf8,iso88591", "x", "utf8", "--iconv=iso88591"}, {"--iconv=utf8", "", "utf8", "--iconv=utf8"},
		{"--iconv=.", "", ".", "--iconv=."}, {"--iconv=-", "utf8", "", ""}, {"--no-iconv", "utf8", "", ""}, {"--iconv=,x", "", ".", "--iconv=x"},
		{"", "utf8,latin1", "utf8", "--iconv=latin1"}, {"", "-", "", ""}, {"--iconv=a,b --no-iconv", "", "", ""},
	} {
		env := func(name string) (string, bool) {
			v := map[string]string{"RSYNC_ICONV": tt.env}[name]
			return v, v != ""
		}
		o, err := ParseIn(env, Aliases{}, fields(tt.line+" -a x h:y"))
		if err != nil {
			t.Fatal(err)
		}
		told := ""
		for _, a := range o.ServerArgs(Peer{Push: true}) {
			if strings.HasPrefix(a, "--iconv") {
				told = a
			}
		}
		if o.Iconv != tt.local || told != tt.told {
			t.Errorf("%q with %q: %q here, and the server is told %q", tt.line, tt.env, o.Iconv, told)
		}
	}
}

// A server of this program's own client, in one process, is told both.
func TestIconvOfServer(t *testing.T) {
	for arg, want := range map[string]string{"utf8": "utf8", "utf8,latin1": "latin1", ".": ".", "a,": ".", "": "."} {
		o, err := ParseServer(fields("--server --iconv="+arg+" . x"), Refusal{})
		if err != nil || o.Iconv != want {
			t.Errorf("%q: %q, %v", arg, o.Iconv, err)
		}
		if got := IconvAsked([]string{"--server", "-s", "--iconv=" + arg}); got != want {
			t.Errorf("%q asks for %q", arg, got)
		}
	}
	if got := IconvAsked(fields("--server -s . --iconv=x")); got != "" {
		t.Errorf("a path asks for %q", got)
	}
}

// What follows under -s is converted: so what it is converted from comes before.
func TestIconvInTheOpen(t *testing.T) {
	o := mustParse(t, fields("-as --iconv=utf8,latin1 --timeout=5 h:x y"))
	open, secluded := o.Seclude(append(o.ServerArgs(Peer{Capabilities: "s"}), ".", "x"))
	if d := cmp.Diff([][]string{fields("--server --sender -slogDtpre.s --iconv=latin1"), fields("--timeout=5 . x")}, [][]string{open, secluded}); d != "" {
		t.Error(d)
	}
}
