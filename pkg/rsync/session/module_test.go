package session

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func TestAskModule(t *testing.T) {
	long := strings.Repeat("m", maxLine)
	for _, tt := range []struct {
		name, module, says string
		lines              []string
		listed             bool
		want               string
		code               proto.Exit
	}{
		{"consents", "drive0", "@RSYNCD: OK\n", nil, false, "", 0},
		{"message of the day", "drive0", "\nHello\tyou\n@RSYNCD: OK\n", []string{"", "Hello\tyou"}, false, "", 0},
		{"draws", "drive0", "\x1b]0;title\x07\xe4\n@RSYNCD: OK\n", []string{`\#033]0;title\#007` + "\xe4"}, false, "", 0},
		{"list", "", "drive0\tThe first\n@RSYNCD: EXIT\n", []string{"drive0\tThe first"}, true, "", 0},
		{"list of an old daemon", "", "drive0\tThe first\n", []string{"drive0\tThe first"}, true, "", 0},
		{"module ends with EXIT", "drive0", "@RSYNCD: EXIT\n", nil, true, "", 0},
		{"closes", "drive0", "text\n", []string{"text"}, false, "read the daemon's answer: unexpected EOF", proto.ExitStartClient},
		{"password", "drive0", "@RSYNCD: AUTHREQD abc\n", nil, false, `module "drive0" asks for a password`, proto.ExitStartClient},
		{"refuses", "drive0", "@ERROR: Unknown module 'drive0'\n", nil, false, "@ERROR: Unknown module 'drive0'", proto.ExitStartClient},
		{"refuses and draws", "drive0", "@ERROR: \x1b[2J\n", nil, false, `@ERROR: \#033[2J`, proto.ExitStartClient},
		{"refuses without colon", "drive0", "@ERROR\n", nil, false, "@ERROR", proto.ExitStartClient},
		{"longest line", "drive0", long + "\n@RSYNCD: OK\n", []string{long}, false, "", 0},
		{"too long a line", "drive0", long + "x\n", nil, false, "line of more than 4096 bytes", proto.ExitStartClient},
		{"too many lines", "drive0", strings.Repeat("x\n", maxMotd) + "@RSYNCD: OK\n", slices.Repeat([]string{"x"}, maxMotd), false, "more than 1000 lines", proto.ExitStartClient},
		{"module with newline", "a\n#list", "@RSYNCD: OK\n", nil, false, "has a newline", proto.ExitSyntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w, heard := said(tt.says)
			var lines []string
			listed, err := AskModule(r, w, Ask{Module: tt.module, Say: func(l string) { lines = append(lines, l) }})
			wantError(t, err, tt.want, tt.code)
			if d := cmp.Diff(tt.lines, lines); d != "" || listed != tt.listed {
				t.Errorf("listed %v; lines:\n%s", listed, d)
			}
			if want := tt.module + "\n"; tt.code != proto.ExitSyntax && heard.String() != want {
				t.Errorf("asked with %q", heard)
			}
		})
	}
}

// A list that breaks off for another reason than the daemon's closing has not
// been listed.
func TestListBreaksOff(t *testing.T) {
	r := wire.NewReader(io.MultiReader(strings.NewReader("drive0\n"), failing{os.ErrDeadlineExceeded}), 0)
	_, w, _ := said("")
	listed, err := AskModule(r, w, Ask{Module: "", Say: func(string) {}})
	wantError(t, err, "i/o timeout", proto.ExitTimeout)
	if listed {
		t.Error("listed all the same")
	}
}

func TestArguments(t *testing.T) {
	args := []string{"--server", "--sender", "-logDtpre.LsfxCIvu", ".", "drive0/fids/", "a b", "\xff*?", "-"}
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		caps := capsOf(t, v)
		_, w, heard := said("")
		if err := SendArgs(w, caps, args); err != nil {
			t.Fatal(err)
		}
		if caps.ArgsNulEnded != strings.HasSuffix(heard.String(), "-\x00\x00") {
			t.Errorf("version %d: %q", v, heard)
		}
		r := wire.NewReader(strings.NewReader(heard.String()+"rest"), 0)
		got, err := ReadArgs(r, caps, nil)
		if d := cmp.Diff(args, got); d != "" || err != nil || r.Byte() != 'r' {
			t.Errorf("version %d: %v\n%s", v, err, d)
		}
	}
}

func TestArgumentsThatCannotBeSent(t *testing.T) {
	for _, tt := range []struct {
		version int
		arg     string
		good    bool
	}{{29, "a\nb", false}, {30, "a\nb", true}, {29, "a\x00b", false}, {30, "a\x00b", false}, {29, "", false}, {30, "", false}} {
		_, w, heard := said("")
		err := SendArgs(w, capsOf(t, tt.version), []string{"--server", tt.arg})
		if tt.good {
			wantError(t, err, "", 0)
			continue
		}
		wantError(t, err, "cannot be sent to this daemon", proto.ExitSyntax)
		if heard.Len() != 0 {
			t.Errorf("%q was sent all the same", heard)
		}
	}
}

func TestReadArgsLimits(t *testing.T) {
	caps := capsOf(t, 31)
	for _, tt := range []struct {
		name string
		src  io.Reader
		want string
		code proto.Exit
	}{
		{"as many as may be", strings.NewReader(strings.Repeat("a\x00", maxArgs) + "\x00"), "", 0},
		{"one more", strings.NewReader(strings.Repeat("a\x00", maxArgs+1) + "\x00"), "more than 1000 arguments", proto.ExitSyntax},
		{"as long as may be", strings.NewReader(strings.Repeat("a", maxArgBytes-1) + "\x00\x00"), "", 0},
		{"one byte more", strings.NewReader(strings.Repeat("a", maxArgBytes) + "\x00\x00"), "or 65536 bytes of them", proto.ExitSyntax},
		{"in two", strings.NewReader(strings.Repeat("a", maxArgBytes/2) + "\x00" + strings.Repeat("b", maxArgBytes/2+1) + "\x00\x00"), "argument: line of more than", proto.ExitStreamIO},
		{"endless", forever('a'), "argument: line of more than 65536 bytes", proto.ExitStreamIO},
		{"cut", strings.NewReader("--server\x00--sen"), "read the client's arguments: unexpected EOF", proto.ExitStreamIO},
		{"none", strings.NewReader("\x00"), "", 0},
		{"silence", failing{os.ErrDeadlineExceeded}, "i/o timeout", proto.ExitTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args, err := ReadArgs(wire.NewReader(tt.src, 0), caps, nil)
			wantError(t, err, tt.want, tt.code)
			if err != nil && args != nil {
				t.Errorf("%d arguments with an error", len(args))
			}
		})
	}
}
