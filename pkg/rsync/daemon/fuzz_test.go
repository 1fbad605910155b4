package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// tape is a connection on which the client has said everything already.
type tape struct{ *strings.Reader }

func (c *tape) Write(p []byte) (int, error)      { return len(p), nil }
func (c *tape) Close() error                     { c.Reader.Reset(""); return nil }
func (c *tape) LocalAddr() net.Addr              { return nil }
func (c *tape) RemoteAddr() net.Addr             { return nil }
func (c *tape) SetDeadline(time.Time) error      { return nil }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }

// FuzzSession plays whatever a client may send to a whole session: it must
// end, without a fault, and change nothing above the module.
func FuzzSession(f *testing.F) {
	for _, v := range []string{"20", "27", "29", "30.0", "31.0"} {
		end := "\n"
		if strings.HasPrefix(v, "3") {
			end = "\x00"
		}
		for _, words := range []string{"--server --sender -vlogDtpre.LsfxCIvu . mod/", "--server --sender -rn . mod/* mod/../x", "--server -rte.LsfxCIvu --delete . mod/a"} {
			args := strings.ReplaceAll(words, " ", end) + end + end
			f.Add("@RSYNCD: " + v + "\nmod\n" + args + "\x00\x00\x00\x00\x01\x00\x00\x00\x00\x80\x00\x00\x00\x00")
			f.Add("@RSYNCD: " + v + "\nmod\n" + args + "\x04\x00\x00\x07\x00\x00\x00\x00\x00\x18\x01f\x04\x00\x00\x00\x00\x00\x00\x00\xa4\x81\x00\x00\x00\x00\x00\x00\x00")
		}
	}
	f.Add("@RSYNCD: 31.0\n#list\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		mod := filepath.Join(dir, "mod")
		if err := os.MkdirAll(filepath.Join(mod, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mod, "f"), []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
		self := conf.Module{
			Name: "mod", Path: mod, Exclude: "/secret/", List: true, MaxVerbosity: 1, Timeout: 5,
			UID: strconv.Itoa(os.Geteuid()), GID: strconv.Itoa(os.Getegid()),
		}
		var log bytes.Buffer
		s := &Server{Config: &conf.Config{Modules: []conf.Module{self}}, Log: slog.New(NewLogHandler(&log)), Umask: 0o022}
		s.session(context.Background(), &tape{Reader: strings.NewReader(text)}, newCaller("10.0.0.1"), func() bool { return true })
		if strings.Contains(log.String(), "fault of this program") {
			t.Fatalf("log:\n%s", &log)
		}
		if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
			t.Fatalf("above the module: %v, %v", names, err)
		}
	})
}
