package client

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// splitProxy reads [USER:PASSWORD@]HOST:PORT, as in RSYNC_PROXY.
func splitProxy(proxy string) (login, address string, err error) {
	if at := strings.LastIndexByte(proxy, '@'); at >= 0 {
		login, proxy = proxy[:at], proxy[at+1:]
	}
	if _, port, err := net.SplitHostPort(proxy); err != nil || port == "" {
		// What stands before the @ is a secret.
		return "", "", proto.Failf(proto.ExitSocketIO, "invalid proxy specification: should be HOST:PORT, not %q", proxy)
	}
	return login, proxy, nil
}

// Bounds of a proxy's answer.
const (
	maxProxyLine  = 1024 // bytes
	maxProxyLines = 100
)

// connectProxy asks an HTTP proxy for a connection to a place
// (socket.c:establish_proxy_connection). Nothing behind its answer is read.
func connectProxy(conn net.Conn, login, target string) error {
	auth := ""
	if login != "" {
		auth = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login)) + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.0\r\n%s\r\n", target, auth); err != nil {
		return proto.Failf(proto.ExitSocketIO, "write to the proxy: %w", err)
	}
	// A byte at a time: what follows is the daemon's.
	r := bufio.NewReaderSize(oneByte{conn}, 16)
	first, err := proxyLine(r)
	if err != nil {
		return err
	}
	version, status, _ := strings.Cut(first, " ")
	if !strings.HasPrefix(version, "HTTP/") {
		return proto.Failf(proto.ExitSocketIO, "bad response from the proxy: %q", first)
	}
	if !strings.HasPrefix(strings.TrimLeft(status, " "), "2") {
		return proto.Failf(proto.ExitSocketIO, "the proxy refuses: %q", first)
	}
	for range maxProxyLines {
		line, err := proxyLine(r)
		if err != nil {
			return err
		}
		if line == "" {
			return nil
		}
	}
	return proto.Failf(proto.ExitSocketIO, "the proxy's answer has more than %d lines", maxProxyLines)
}

func proxyLine(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) <= maxProxyLine {
		c, err := r.ReadByte()
		if err != nil {
			return "", proto.Failf(proto.ExitSocketIO, "read from the proxy: %w", err)
		}
		if c == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, c)
	}
	return "", proto.Failf(proto.ExitSocketIO, "the proxy's answer has a line of more than %d bytes", maxProxyLine)
}

// oneByte reads no more than what is asked for at least.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }
