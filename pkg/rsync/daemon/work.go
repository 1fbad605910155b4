package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// workerCommand is this program again. It begins with one processor: most sessions
// are over before a second one has anything to do, and each would cost the start of
// threads, which would then look for work. See [spread].
func workerCommand(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0], cmd.Dir, cmd.Env = "empegsync", "/", []string{"GOMAXPROCS=1"}
	for _, name := range []string{"TZ", "GOGC", "GOMEMLIMIT"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	return cmd
}

// workerSlack is how late a worker's timers may be, in nanoseconds.
const workerSlack = 1_000_000

// startWorker starts a worker whose timers may be a millisecond late: a thread of
// Go's runtime wakes every 20 microseconds otherwise, a good part of what a short
// session costs. A process has this from the thread that starts it. Where it
// cannot be had, nothing is lost.
func startWorker(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err == nil && unix.Prctl(unix.PR_SET_TIMERSLACK, workerSlack, 0, 0, 0) == nil {
		defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(usual), 0, 0, 0) }()
	}
	return cmd.Start()
}

// spreadTick is how often a worker is asked whether it needs more processors.
const spreadTick = 50 * time.Millisecond

// spread lets this process use more processors as soon as it has kept one busy for
// more than half of a while, by what used says that it has used.
func spread(ctx context.Context, processors int, used func() time.Duration) {
	if processors <= runtime.GOMAXPROCS(0) {
		return
	}
	tick := time.NewTicker(spreadTick)
	defer tick.Stop()
	for before := used(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := used()
		if now-before > spreadTick/2 {
			runtime.GOMAXPROCS(processors)
			return
		}
		before = now
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// endBySignal has signals call cancel. Only a worker that receives has something
// to tidy up before it ends, and pays the two threads that signals cost; another
// one the system may end.
func endBySignal(args []string, cancel func()) {
	if slices.Contains(args, "--sender") {
		return
	}
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, signals...)
	go func() {
		<-told
		cancel()
	}()
}

// Work is the worker's side of [Spawn]: it reads the job from in, opens the
// module, becomes the module's user for good and serves the session on conn,
// which it leaves open. It ends early when ctx does, in is closed, or, while it
// receives, a signal asks this process to end. What happens in the session goes to
// log; the error is about the job only. exit is the code that the process must end
// with.
func Work(ctx context.Context, in io.Reader, conn net.Conn, log *slog.Logger) (exit int, err error) {
	job, err := readJob(in)
	if err != nil {
		return int(proto.ExitIPC), err
	}
	caps, err := proto.New(job.Version)
	if err != nil {
		return int(proto.ExitIPC), fmt.Errorf("read the worker's job: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &Server{Log: log, Umask: job.Umask}
	who := newCaller(job.From)
	who.name, who.asked = job.Host, true
	c := &session{
		Server: s, conn: conn, who: who, user: job.User, caps: caps, until: time.Now().Add(job.Hello),
		log: log.With("from", job.From, "module", job.Module.Name), settle: func() bool { return true }, asked: true,
	}
	c.whole(ctx, func() error {
		go func() {
			_, _ = io.Copy(io.Discard, in) // whatever ends it: the daemon has let go
			cancel()
		}()
		c.grow(job.Early)
		t := task{module: &job.Module, args: job.Args, refusal: job.Refusal, trimLinks: job.TrimLinks}
		if job.Convert {
			t.names = os.NewFile(4, "name converter")
		}
		err := c.serve(ctx, t, func() *switchError {
			defer endBySignal(job.Args, cancel)
			defer func() { go spread(ctx, job.Processors, processorTime) }()
			return job.become(c.log) // quick while there are few threads
		})
		if err != nil {
			c.exit = proto.ExitCode(err)
		}
		return err
	})
	return int(c.exit), nil
}
