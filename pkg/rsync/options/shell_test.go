package options

import (
	"strings"
	"testing"
)

// TestRemoteShell: -e is a command to a client, and what the client can do to
// a server; neither -e nor --rsync-path is sent on.
func TestRemoteShell(t *testing.T) {
	o, err := Parse([]string{"-ae", "ssh -p 22", "--rsync-path=sudo rsync", "h:a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Shell != "ssh -p 22" || o.RsyncPath != "sudo rsync" || o.ClientInfo != "" {
		t.Errorf("a client's -e: %q, %q, %q", o.Shell, o.RsyncPath, o.ClientInfo)
	}
	sent := strings.Join(o.ServerArgs(Peer{Capabilities: "LfxCIvu"}), " ")
	if sent != "--server --sender -logDtpre.LfxCIvu" {
		t.Errorf("the server gets %q", sent)
	}
	o, err = Parse([]string{"--server", "-re.LfxCIvu", ".", "x"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Shell != "" || o.ClientInfo != "LfxCIvu" {
		t.Errorf("a server's -e: %q, %q", o.Shell, o.ClientInfo)
	}
	if _, err := ParseServer([]string{"--server", "--rsync-path=x", ".", "x"}, Refusal{}); err == nil {
		t.Error("a server takes --rsync-path")
	}
}
