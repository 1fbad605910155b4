package checksum

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNegotiate(t *testing.T) {
	tests := []struct {
		client, server string
		want           Algorithm
		err            string
	}{
		{ClientList, ServerList, XXH128, ""},
		{"md5 xxh3", ServerList, MD5, ""},
		{ClientList, "md4 md5", MD5, ""},
		{"future xxhash md5", "later xxh64", XXH64, ""},
		{"none", ServerList, None, ""},
		{"MD4", "md4", MD4, ""},
		{"sha512 sha1", "sha512 sha1", SHA1, ""}, // sha512 sums no files
		{"xxh3", "md5", 0, `the client offers "xxh3", the server "md5"`},
		{"", ServerList, 0, "no name is in both"},
		{strings.Repeat("x", MaxList+1), "md5", 0, "longer than the 256 allowed"},
	}
	for _, tt := range tests {
		got, err := Negotiate(tt.client, tt.server)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Negotiate(%q, %q): error %v, want %q", tt.client, tt.server, err, tt.err)
		}
		if err == nil && got != tt.want {
			t.Errorf("Negotiate(%q, %q) = %s, want %s", tt.client, tt.server, got, tt.want)
		}
	}
}

// TestListsAreRsyncs compares the lists with what rsync says of itself.
func TestListsAreRsyncs(t *testing.T) {
	out, err := exec.Command("rsync", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(out), " (xxhash)", "")
	for _, list := range []string{"Checksum list:\n    " + ServerList + "\n", "Daemon auth list:\n    " + AuthList + "\n"} {
		if !strings.Contains(text, list) {
			t.Errorf("rsync --version does not say %q", list)
		}
	}
}

func TestParseChoice(t *testing.T) {
	tests := []struct {
		in   string
		want Choice
		err  string
	}{
		{"md5", Choice{MD5, MD5}, ""},
		{"XXHash", Choice{XXH64, XXH64}, ""},
		{"none,md4", Choice{None, MD4}, ""},
		{"auto,md4", Choice{MD4Old, MD4}, ""},
		{"auto", Choice{MD4Old, MD4Old}, ""},
		{"md5,none", Choice{MD5, None}, ""},
		{"sha512", Choice{}, "--checksum-choice=sha512: unknown checksum name"},
		{"md5,", Choice{}, `unknown checksum name ""`},
		{"md5,md4,sha1", Choice{}, `unknown checksum name "md4,sha1"`},
	}
	for _, tt := range tests {
		got, err := ParseChoice(tt.in, MD4Old)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("ParseChoice(%q): error %v, want %q", tt.in, err, tt.err)
		}
		if got != tt.want {
			t.Errorf("ParseChoice(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
	if (Choice{MD5, None}).CheckFile() == nil || (Choice{None, MD5}).CheckFile() != nil {
		t.Error("CheckFile must refuse None as the file sum and nothing else")
	}
	for in, want := range map[string]bool{"": true, "Auto": true, "auto,auto": true, "auto,md5": false, "md5": false} {
		if IsAuto(in) != want {
			t.Errorf("IsAuto(%q) = %v", in, !want)
		}
	}
}

func TestNamesAndSizes(t *testing.T) {
	for _, a := range allAlgorithms() {
		back, ok := byName(a.String())
		if !ok || back.String() != a.String() {
			t.Errorf("%s (%d) is not found by its name", a, a)
		}
		want := a.Size()
		if a == MD4Archaic {
			want = 2
		}
		if a.FileListSize() != want || a.Size() > MaxSize {
			t.Errorf("%s (%d): size %d, in file lists %d", a, a, a.Size(), a.FileListSize())
		}
	}
	if bad := Algorithm(200); bad.Valid() || bad.Size() != 0 || bad.String() != "checksum(200)" {
		t.Errorf("an invalid algorithm: %v, size %d", bad, bad.Size())
	}
}

// TestAuthResponse logs in to a real daemon with every digest, and as the old
// protocols that imply one.
func TestAuthResponse(t *testing.T) {
	tests := []struct {
		greeting string
		digest   Algorithm
	}{
		{"31.0 sha512", SHA512}, {"31.0 sha256", SHA256}, {"31.0 sha1", SHA1},
		{"31.0 md5", MD5}, {"31.0 md4", MD4}, {"30.0", MD5}, {"29", MD4Old}, {"26", MD4Busted},
	}
	config := authConfig(t)
	for _, tt := range tests {
		for _, password := range []string{"open sesame", "wrong"} {
			reply := login(t, config, tt.greeting, tt.digest, password)
			if ok := strings.HasPrefix(reply, "@RSYNCD: OK"); ok != (password == "open sesame") {
				t.Errorf("greeting %q, %s, password %q: %q", tt.greeting, tt.digest, password, reply)
			}
		}
	}
	if a, err := NegotiateAuth("md5 sha256", AuthList); a != MD5 || err != nil {
		t.Errorf("NegotiateAuth = %v, %v", a, err)
	}
	if a, err := NegotiateAuth("xxh64 none", "xxh64 none"); err == nil {
		t.Errorf("NegotiateAuth accepts %v for passwords", a)
	}
}

func authConfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	secrets, config := filepath.Join(dir, "secrets"), filepath.Join(dir, "rsyncd.conf")
	text := fmt.Sprintf("use chroot = no\nlog file = %s/log\n[m]\npath = %s\nauth users = me\nsecrets file = %s\n", dir, dir, secrets)
	for name, body := range map[string]string{secrets: "me:open sesame\n", config: text} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// login plays a client of the module m up to the daemon's verdict.
func login(t *testing.T, config, greeting string, digest Algorithm, password string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	file, err := peer.(*net.TCPConn).File()
	peer.Close()
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("rsync", "--daemon", "--config="+config)
	var complaints bytes.Buffer
	daemon.Stdin, daemon.Stderr = file, &complaints
	err = daemon.Start()
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { conn.Close(); daemon.Wait() }()

	lines := bufio.NewReader(conn)
	fmt.Fprintf(conn, "@RSYNCD: %s\nm\n", greeting)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("daemon: %v %s", err, complaints.String())
		}
		challenge, asked := strings.CutPrefix(strings.TrimSpace(line), "@RSYNCD: AUTHREQD ")
		if !asked {
			continue
		}
		fmt.Fprintf(conn, "me %s\n", AuthResponse(digest, password, challenge))
		verdict, _ := lines.ReadString('\n')
		return verdict
	}
}
