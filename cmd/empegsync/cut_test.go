package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
)

// TestCutKeepsWhatCame: a connection that ends in the middle of a large file costs
// what was under way in it, not what had come before.
func TestCutKeepsWhatCame(t *testing.T) {
	t.Parallel()
	const size, cut, under = 9 << 20, 6 << 20, 512 << 10 // bytes
	data := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(data)
	src := tempDir(t)
	must(t, os.WriteFile(src+"/big", data, 0o644))
	config := src + "/rsyncd.conf"
	must(t, os.WriteFile(config, []byte("[m]\npath = "+src+"\nuse chroot = no\n"), 0o644))
	whole := serve(t, "--config", config).addr
	addr := listen(t, func(conn *net.TCPConn) {
		up, err := net.Dial("tcp", whole)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		go func() { _, _ = io.Copy(up, conn) }()
		_, _ = io.CopyN(conn, up, cut)
	})
	for _, c := range []struct{ flags, kept string }{
		{"--partial", "big"}, {"--partial-dir=.part", ".part/big"}, {"--partial -z", "big"}, {"--partial --sparse", "big"},
		{"--partial-dir=.part --preallocate", ".part/big"}, {"--inplace", "big"}, {"-a", ""},
	} {
		dst := tempDir(t)
		args := append([]string{"rsync"}, strings.Fields(c.flags)...)
		if r := call(t, append(args, "rsync://"+addr+"/m/big", dst+"/")...); r.code != 12 && r.code != 10 {
			t.Errorf("%s: %s", c.flags, r)
		}
		if c.kept == "" {
			noLeftovers(t, dst)
			continue
		}
		kept, err := os.ReadFile(dst + "/" + c.kept)
		must(t, err)
		if len(kept) < cut-under || len(kept) > cut || !bytes.HasPrefix(data, kept) {
			t.Errorf("%s: %d bytes of %d that came were kept, the file's start: %v", c.flags, len(kept), cut, bytes.HasPrefix(data, kept))
		}
	}
}
