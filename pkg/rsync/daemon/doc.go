// Package daemon serves the modules of an rsyncd.conf to rsync clients.
//
// A [Server] accepts connections, each handled by itself: a client that
// misbehaves, stalls or makes this program fail ends its own session and
// nothing else. Every module is confined to its folder by rootfs, whatever
// "use chroot" says: no path, link or race leads out of it, and no privilege
// is needed for that. A module whose uid or gid is not the daemon's own, or
// that is locked up in a chroot, is served by a worker, a process of its own
// that has given up root and all that it does not need ([Spawn], [Work]).
//
//	ln, err := daemon.Listen(ctx, cfg.Global, "")
//	if err != nil { ... }
//	srv := &daemon.Server{
//		Config: cfg, Log: slog.New(daemon.NewLogHandler(os.Stderr)), Umask: 0o022, Grace: 10 * time.Second,
//		Worker: func(ctx context.Context, conn *os.File, job daemon.Job) error {
//			return daemon.Spawn(ctx, conn, job, os.Stderr, "worker")
//		},
//	}
//	err = srv.Serve(ctx, ln) // until ctx ends
//
// # Strangers
//
// Before a client has said what it wants it costs a few kilobytes, and it has
// HelloTimeout to get as far as the transfer, passwords and arguments and all.
// The connections of all clients and those of one address are limited; when a
// limit is reached one that has not got to a transfer makes room, of the address
// that has the most of them and the oldest there, so that idle ones never keep
// others out and a swarm drives out its own. The places of "max connections" are
// taken by transfers only, or, where a module has a queue, by who has come out of
// it, for a few seconds. Lists of hosts fail closed: a name that cannot be
// looked up is no reason to allow, and one to deny. Who fails to log in waits
// longer each time. All lengths from the wire are bounded by session, filter,
// wire and transfer.
//
// # What it does not do
//
// It reads no configuration and writes no pid file; that is for whoever starts
// it. What conf refuses it has not learned yet.
package daemon
