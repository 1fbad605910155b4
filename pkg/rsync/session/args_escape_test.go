package session

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// TestEscapedArgs: what rsync 3.2.4 and later escape in options is what was
// meant, ours come through as they were, and paths keep their backslashes.
func TestEscapedArgs(t *testing.T) {
	caps, err := proto.New(31)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sent string
		want []string
	}{
		{"--server\x00--usermap=\\*:x\x00--suffix=a\\ b\\\\c\\\x00.\x00m/a\\ b\x00\x00", []string{"--server", "--usermap=*:x", `--suffix=a b\c\`, ".", `m/a\ b`}},
	} {
		got, err := ReadArgs(wire.NewReader(bytes.NewReader([]byte(c.sent)), 0), caps, nil)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
		var b bytes.Buffer
		w := wire.NewWriter(&b, 0)
		if err := SendArgs(w, caps, c.want); err != nil {
			t.Fatal(err)
		}
		again, err := ReadArgs(wire.NewReader(&b, 0), caps, nil)
		if d := cmp.Diff(c.want, again); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	}
}
