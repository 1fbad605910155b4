package daemon_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// workerOf finds the process that has a file of the place open.
func (p *place) workerOf(file string) string {
	p.Helper()
	var found string
	eventually(p, "a worker with "+file, func() bool {
		fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
		for _, fd := range fds {
			if target, err := os.Readlink(fd); err == nil && target == file {
				found = filepath.Dir(filepath.Dir(fd))
				return true
			}
		}
		return false
	})
	return found
}

// TestChroot: where workers are locked up, and what stays visible.
func TestChroot(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{
		"jail/mod/big": strings.Repeat("x", 30<<20), "jail/mod/abs": "-> /mod/other", "jail/mod/other/f": "o", "d/": "",
	})
	s := p.ours(strings.NewReplacer("use chroot = no\n", "", "uid = 0\ngid = 0\n", "").Replace(p.conf(`[all]
path = @DIR@/jail/mod
use chroot = yes
[unset]
path = @DIR@/jail/mod
[inner]
path = @DIR@/jail/./mod
[root]
path = @DIR@/jail/mod
use chroot = yes
uid = root
gid = root
[no]
path = @DIR@/jail/./mod
use chroot = false
`)), nil)
	for module, root := range map[string]string{"all": "jail/mod", "unset": "jail/mod", "inner": "jail", "root": "jail/mod", "no": ""} {
		if os.Geteuid() != 0 {
			out, code := p.rsync(s.addr, "-r", "@URL@/"+module+"/other", "d/")
			if open := module == "unset" || module == "no"; open != (code == 0) || !open && !strings.Contains(out, "@ERROR: chroot failed") {
				t.Errorf("%s, as an ordinary user: code %d, %s", module, code, out)
			}
			continue
		}
		c := dial(t, s.addr)
		send(t, c, strings.ReplaceAll(pullOf("big", 2), "mod", module))
		readUntil(t, c, "xxxx")
		file := p.path("jail/mod/big")
		if root != "" {
			file = strings.TrimPrefix(file, p.path(root)) // as /proc shows it to those inside, and to us
		}
		worker := p.workerOf(p.path("jail/mod/big"))
		got, err := os.Readlink(worker + "/root")
		if want := filepath.Join("/", map[bool]string{true: p.path(root)}[root != ""]); err != nil || got != want {
			t.Errorf("%s: the worker's root is %s, %v, not %s (%s)", module, got, err, want, file)
		}
		c.Close()
		if out, code := p.rsync(s.addr, "-r", "@URL@/"+module+"/other/", p.path("d/"+module)); code != 0 || !strings.Contains(p.tree("d"), module+"/f") {
			t.Errorf("%s: code %d, %s", module, code, out)
		}
		eventually(t, "the worker's end", func() bool {
			_, err := os.Stat(worker + "/exe")
			return err != nil
		})
	}
}

// TestServeConn: a connection that is no socket of the network's, served as
// another user.
func TestServeConn(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/f": "x"})
	cfg, err := conf.Parse("f", []byte(p.conf("[mod]\npath = @DIR@/mod\nuid = nobody\ngid = *\n")), nil)
	p.must(err)
	var log buffer
	s := &daemon.Server{Config: cfg, Log: logTo(&log), Worker: func(ctx context.Context, conn *os.File, job daemon.Job) error {
		return daemon.Spawn(ctx, conn, job, &log, "worker")
	}}
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.ServeConn(t.Context(), server, "10.1.2.3") }()
	send(t, client, "@RSYNCD: 29\n")
	readUntil(t, client, "@RSYNCD: ")
	go func() { _, _ = client.Write([]byte(strings.TrimPrefix(pullOf("f", 1), "@RSYNCD: 29\n"))) }()
	want := "@RSYNCD: OK\n"
	if os.Geteuid() != 0 {
		want = "@ERROR: setgid failed"
	}
	readUntil(t, client, want)
	if os.Geteuid() == 0 {
		readUntil(t, client, "x")
	}
	client.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := fmt.Sprint(&log); !strings.Contains(text, "(10.1.2.3)") {
		t.Errorf("log:\n%s", text)
	}
}
