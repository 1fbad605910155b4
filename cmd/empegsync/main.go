// Command empegsync keeps music players and other machines in step over the
// rsync protocol. See "empegsync --help" and the README.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	if len(os.Args) > 1 && os.Args[0] == workerName && os.Args[1] == workerVerb {
		os.Exit(beWorker(os.Args[2:], os.Stderr)) // a client waits
	}
	ends := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	serving := len(os.Args) > 1 && os.Args[1] == "serve" && !hangupEnds()
	if !signal.Ignored(syscall.SIGHUP) && !serving { // nohup and "trap '' HUP" mean it
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
