package client

import (
	"os"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// A receiving server that stops because of what it finds among its own files
// says so before it goes, with the code where that travels.
func TestServerSaysWhyItStops(t *testing.T) {
	for _, version := range []string{"29", "31"} {
		dir := t.TempDir()
		for _, d := range []string{"/from/x", "/to/x"} {
			if err := os.MkdirAll(dir+d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(dir+"/to/x/.rules", []byte("what is this\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		words := []string{"-a", "--delete", "--protocol=" + version, "--timeout=60", "-f", "dir-merge .rules"}
		opt, err := options.Parse(append(words, dir+"/from/", dir+"/to"))
		if err != nil {
			t.Fatal(err)
		}
		heard := &mute{}
		c := &Client{Options: opt, Observer: heard}
		_, err = c.Copy(t.Context(), opt.Args[:1], opt.Args[1])
		if proto.ExitCode(err) != proto.ExitSyntax || !strings.Contains(heard.text.String(), ".rules:1") {
			t.Errorf("protocol %s: %v (code %d), heard %q", version, err, proto.ExitCode(err), &heard.text)
		}
	}
}
