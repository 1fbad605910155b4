package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestProxy pulls through an HTTP proxy that wants to know who asks, and hears
// what one says that does not want to.
func TestProxy(t *testing.T) {
	t.Parallel()
	master, _ := players(t, 12)
	daemon := serve(t, "--root", master).addr
	proxy := listen(t, func(client *net.TCPConn) {
		r := bufio.NewReader(client)
		req, err := http.ReadRequest(r)
		if err != nil {
			return // the client sees its connection end
		}
		req.Header.Set("Authorization", req.Header.Get("Proxy-Authorization"))
		user, password, _ := req.BasicAuth()
		if req.Method != http.MethodConnect || user != "u" || password != "p@ss:word" {
			fmt.Fprint(client, "HTTP/1.0 407 Proxy Authentication Required\r\n\r\n")
			return
		}
		far, err := net.Dial("tcp", req.Host)
		if err != nil {
			fmt.Fprint(client, "HTTP/1.0 502 Bad Gateway\r\n\r\n")
			return
		}
		defer far.Close()
		fmt.Fprint(client, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
		go func() { _, _ = io.Copy(far, r) }()
		_, _ = io.Copy(client, far)
	})
	junk := listen(t, func(client *net.TCPConn) { fmt.Fprint(client, strings.Repeat("x", 5000)) })
	for _, c := range []struct {
		proxy string
		code  int
		words string
	}{
		{"u:p@ss:word@" + proxy, 0, ""}, {"u:secret@" + proxy, 10, "407"}, {proxy, 10, "407"}, {"u:secret@nowhere", 10, "HOST:PORT"}, {junk, 10, "1024 bytes"},
	} {
		cmd := empegsync("rsync", "rsync://"+daemon+"/")
		cmd.Env = append(os.Environ(), "RSYNC_PROXY="+c.proxy)
		r := start(t, cmd).wait()
		if r.code != c.code || !strings.Contains(r.err, c.words) || (c.code == 0) != strings.Contains(r.out, "drive0") || strings.Contains(r.err, "secret") {
			t.Errorf("through %s: %s", c.proxy, r)
		}
	}
}

// TestBwLimit: a limit on either side of a remote shell makes a copy slower, by
// about as much as it says.
func TestBwLimit(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	must(t, os.WriteFile(dir+"/big", make([]byte, 400<<10), 0o644))
	must(t, os.WriteFile(dir+"/rsh", []byte("shift\nexec \"$@\"\n"), 0o644))
	for i, places := range [][]string{{dir + "/big", "h:"}, {"h:" + dir + "/big", ""}} {
		for _, peer := range []string{"rsync", os.Getenv(binaryVar) + " rsync"} {
			dst := fmt.Sprintf("%s/copy%d%t", dir, i, peer == "rsync")
			args := append([]string{"rsync", "--bwlimit=200", "-W", "-e", "sh " + dir + "/rsh", "--rsync-path=" + peer}, places...)
			if strings.Contains(peer, " ") { // the shell above takes words as they come
				args[5] = "--rsync-path=" + dir + "/ours"
				must(t, os.WriteFile(dir+"/ours", []byte("#!/bin/sh\nexec "+peer+" \"$@\"\n"), 0o755))
			}
			args[len(args)-1] += dst
			began := time.Now()
			call(t, args...).expect(t, 0)
			if d := time.Since(began); d < 1200*time.Millisecond {
				t.Errorf("%q took %v", args, d)
			}
		}
	}
}

// TestStopAt: what makes no sense is refused.
func TestStopAt(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"--stop-at=2020-1-1", "--stop-at=x", "--stop-after=0", "--stop-after=x"} {
		if r := call(t, "rsync", arg, "a", "b"); r.code != 1 || !strings.Contains(r.err, "stop-a") {
			t.Errorf("%s: %s", arg, r)
		}
	}
}
