// Command fenced serves one session in a worker, as serve does, and then has the
// worker try what it must not be able to do any more, and stop. Tests build it without cgo,
// as the program itself is built: only then can all threads be confined.
//
//	fenced FOLDER UID
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

func main() {
	var err error
	if os.Args[1] == "worker" {
		err = work(os.Args[2])
	} else {
		err = spawn(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// spawn starts a worker whose client leaves at once.
func spawn(dir, id string) error {
	uid, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	ours.Close()
	m := conf.DefaultModule()
	m.Name, m.Path = "m", dir
	job := daemon.Job{
		Module: m, Args: []string{"--server", "--sender", "-re.LsfxCIvu", ".", "m/"}, Version: 31, From: "127.0.0.1",
		UID: uint32(uid), GID: uint32(uid), Hello: 10 * time.Second,
	}
	return daemon.Spawn(context.Background(), theirs, job, os.Stdout, "worker", dir)
}

// work is the worker's side; what it reports goes to standard error.
func work(dir string) error {
	f := os.NewFile(3, "connection")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return err
	}
	if _, err := daemon.Work(context.Background(), os.Stdin, conn, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	say := func(what string, err error) { fmt.Fprintf(os.Stderr, "%s: %v\n", what, err) }
	_, err = os.ReadFile(filepath.Join(dir, "inside"))
	say("inside", err)
	_, err = os.ReadFile("/etc/hostname") // anybody may, but for the fence
	say("outside", err)
	_, err = os.ReadFile("/etc/passwd")
	say("names", err)
	say("write", os.WriteFile("/tmp/fenced", nil, 0o600))
	say("chroot", syscall.Chroot(dir))
	say("setuid", syscall.Setuid(12345))
	fmt.Fprintf(os.Stderr, "process: %d\n", os.Getpid())
	// For who looks at it from outside. Another thread may be the one that the
	// signal stops first, while this one goes on: so it waits for what comes next.
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGCONT)
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	<-goOn
	return nil
}
