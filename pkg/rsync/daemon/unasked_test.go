package daemon_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
)

// TestUnaskedData: a client that sends a file's data without waiting to be
// asked for them cannot write what the module's rules keep from it.
func TestUnaskedData(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"open/f": `open/f = "evil"`, "keep/f": `keep/f = "kept"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t).write(map[string]string{"up/keep/f": "kept", "up/open/f": "kept too"})
			s := p.ours(p.conf("[up]\npath = @DIR@/up\nread only = no\nexclude = /keep/\n"), nil)
			h := checksum.MD4Old.NewFile(1)
			_, _ = io.WriteString(h, "evil")
			c := dial(t, s.addr)
			send(t, c, old("up", "--server", "-r", "--checksum-seed=1", ".", "up/")+listed(name, 0o100644)+"\x00"+le(0))
			if name == "open/f" {
				readUntil(t, c, "\x0c\x80"+le(1, 700)) // asked for: what follows is sound
			}
			send(t, c, le(0)+"\x00\x80"+le(0, 0, 16, 0)+le(4)+"evil"+le(0)+string(h.Sum(nil))+le(-1, -1, -1, -1))
			_ = c.(*net.TCPConn).CloseWrite()
			answer, _ := io.ReadAll(c)
			if got := p.tree("up"); !strings.Contains(got, want) {
				t.Errorf("got\n%s\nanswer %q", got, answer)
			}
		})
	}
}
