package interop

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/memdir"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Names of the environment's variables by which this binary becomes something
// else: our server, or an old release behind which Debian's rsync works.
const (
	beServer = "EMPEGSYNC_TEST_BE_SERVER"
	beOld    = "EMPEGSYNC_TEST_BE_OLD"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(beOld) != "":
		os.Exit(oldRelease(os.Getenv(beOld), os.Args[2:])) // behind the host
	case os.Getenv(beServer) != "":
		os.Exit(ourServer(os.Args[1:]))
	}
	flag.Parse()
	if !slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.parallel") }) {
		// Most of the time both ends wait for each other.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	memdir.Main(m)
}

// ourServer is our side of a remote shell.
func ourServer(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	opt, err := options.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	conn, restore, err := server.Stdio(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer restore()
	if opt.Incomplete {
		if opt, err = server.ReadSecluded(ctx, conn, args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return int(proto.ExitCode(err))
		}
	}
	return int(proto.ExitCode((&server.Session{Options: opt, Conn: conn, Err: os.Stderr, Umask: 0o022}).Run(ctx)))
}

// oldRelease puts Debian's server behind the manners of 2.3.2: it announces
// its version, and leaves if the client's is above 30.
func oldRelease(version string, args []string) int {
	var ours uint32
	fmt.Sscan(version, &ours)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 1
	}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return 1
	}
	defer cmd.Wait()
	defer in.Close()
	var hello, theirs [4]byte
	io.ReadFull(out, hello[:])
	binary.LittleEndian.PutUint32(hello[:], ours)
	os.Stdout.Write(hello[:])
	if _, err := io.ReadFull(os.Stdin, theirs[:]); err != nil {
		return 12
	}
	if v := binary.LittleEndian.Uint32(theirs[:]); v > 30 {
		fmt.Fprintln(os.Stderr, "protocol version mismatch - is your shell clean?")
		return 2
	}
	in.Write(theirs[:])
	go func() {
		io.Copy(in, os.Stdin)
		in.Close()
	}()
	io.Copy(os.Stdout, out)
	return 0
}

// rsh writes a remote shell that runs everything here. It is read by sh rather
// than executed: a file that was just written may still be open in a child that
// another test is starting, and then cannot be.
// env are variables that it sets there.
func (s *sandbox) rsh(env ...string) string {
	s.t.Helper()
	name := filepath.Join(s.dir, "rsh")
	text := "#!/bin/sh\nshift\n"
	for _, v := range env {
		text += "export " + v + "\n"
	}
	s.must(os.WriteFile(name, []byte(text+"exec \"$@\"\n"), 0o755))
	return "sh " + name
}

// shell runs our client with a command line whose places are behind a remote
// shell, or here.
func (s *sandbox) shell(args ...string) (*recorder, transfer.Stats, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	opt, err := options.Parse(args)
	if err != nil {
		s.t.Fatal(err)
	}
	route, err := client.ParseRoute(opt.Args)
	if err != nil {
		s.t.Fatal(err)
	}
	rec := &recorder{}
	c := &client.Client{Options: opt, Umask: 0o022, Observer: rec, Shell: client.Shell{Stderr: s.log}}
	if len(route.From) > 0 {
		to, err := server.OpenDest(route.Dest, opt, func(string) {})
		if err != nil {
			return rec, transfer.Stats{}, err
		}
		defer to.Root.Close()
		st, err := c.Pull(ctx, route.From, to)
		return rec, st, err
	}
	if route.To == nil {
		st, err := c.Copy(ctx, route.Sources, route.Dest)
		return rec, st, err
	}
	sources, done, err := server.OpenSources(route.Sources, opt)
	if err != nil {
		s.t.Fatal(err)
	}
	defer done()
	st, err := c.Push(ctx, sources, *route.To)
	return rec, st, err
}

// settled runs our client twice: the second time nothing may change.
func (s *sandbox) settled(args ...string) {
	s.t.Helper()
	if rec, _, err := s.shell(args...); err != nil {
		s.t.Fatalf("%v\n%s\n%s", err, rec, s.log)
	}
	before := snapshot(s.t, s.dst)
	rec, st, err := s.shell(args...)
	if err != nil {
		s.t.Fatalf("again: %v\n%s\n%s", err, rec, s.log)
	}
	again := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-aHcI") })
	if snapshot(s.t, s.dst) != before || st.Transferred != 0 && !again {
		s.t.Errorf("a second run changed something:\n%s", rec)
	}
}

// debianClient runs Debian's rsync with our server behind its remote shell.
func (s *sandbox) debianClient(args ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 2 {
		cmd := exec.CommandContext(ctx, "rsync", append([]string{"-e", s.rsh(), "--rsync-path=" + os.Args[0]}, args...)...)
		cmd.Env = append(os.Environ(), beServer+"=1")
		cmd.WaitDelay = time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("rsync %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestShellTree does what TestTree does over a remote shell.
func TestShellTree(t *testing.T) {
	type job struct {
		name  string
		flags []string
	}
	archive := job{"archive", []string{"-aH", "--delete"}}
	after := job{"after", []string{"-aHcI", "--delete-after", "-B", "1000", "--exclude=/nothing like that"}}
	for _, v := range versions(20, 28, 30, 32) {
		jobs := []job{archive}
		if v == 20 || v == 32 {
			jobs = append(jobs, after)
		}
		for _, j := range jobs {
			flags := append([]string{fmt.Sprintf("--protocol=%d", v)}, j.flags...)
			t.Run(fmt.Sprintf("%d/%s/our client/pull", v, j.name), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.populate()
				s.settled(append(flags, "-e", s.rsh(), "host:"+s.src+"/", s.dst+"/")...)
				sameTrees(t, s.src, s.dst)
			})
			t.Run(fmt.Sprintf("%d/%s/our client/push", v, j.name), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.populate()
				s.settled(append(flags, "-e", s.rsh(), s.src+"/", "host:"+s.dst+"/")...)
				sameTrees(t, s.src, s.dst)
			})
			t.Run(fmt.Sprintf("%d/%s/our server/push", v, j.name), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.populate()
				s.debianClient(append(flags, s.src+"/", "host:"+s.dst+"/")...)
				sameTrees(t, s.src, s.dst)
			})
			if v < 23 {
				// rsync 3.5.0 waits for the list before it has sent its
				// filters, for ever, whoever the server is.
				continue
			}
			t.Run(fmt.Sprintf("%d/%s/our server/pull", v, j.name), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.populate()
				s.debianClient(append(flags, "host:"+s.src+"/", s.dst+"/")...)
				sameTrees(t, s.src, s.dst)
			})
		}
	}
}

// TestShellOldRelease pulls from and pushes to releases that refuse whoever
// announces more than 30, without a flag.
func TestShellOldRelease(t *testing.T) {
	for _, version := range []int{21, 24, 26} {
		for _, pull := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/pull=%v", version, pull), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.populate()
				shell := filepath.Join(s.dir, "old")
				s.must(os.WriteFile(shell, fmt.Appendf(nil, "#!/bin/sh\n%s=%d exec %s \"$@\"\n", beOld, version, os.Args[0]), 0o755))
				from, to := "host:"+s.src+"/", s.dst+"/"
				if !pull {
					from, to = s.src+"/", "host:"+s.dst+"/"
				}
				s.settled("-aH", "--delete", "-e", "sh "+shell, from, to)
				sameTrees(t, s.src, s.dst)
				if strings.Contains(s.log.String(), "mismatch") {
					t.Errorf("the old release heard a version that it refuses:\n%s", s.log)
				}
			})
		}
	}
}

// TestShellDaemon reaches a daemon through a remote shell.
func TestShellDaemon(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.populate()
	config := filepath.Join(s.dir, "shell.conf")
	s.must(os.WriteFile(config, fmt.Appendf(nil, "[mod]\npath = %s\nuse chroot = no\nuid = %d\ngid = %d\n", s.src, os.Geteuid(), os.Getegid()), 0o644))
	s.settled("-aH", "--delete", "-e", "sh -c 'exec rsync --server --daemon --config="+config+" .' x", "host::mod/", s.dst+"/")
	sameTrees(t, s.src, s.dst)
}

// TestLocalCopy copies on this machine, whole and by differences.
func TestLocalCopy(t *testing.T) {
	for _, flags := range [][]string{{"-aH", "--delete"}, {"-aHcI", "--no-W", "--delete-after"}, {"-aH", "--protocol=20", "--no-whole-file", "--delete"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.populate()
			rec, st, err := s.shell(append(flags, s.src+"/", s.dst+"/")...)
			if err != nil {
				t.Fatalf("%v\n%s", err, rec)
			}
			sameTrees(t, s.src, s.dst)
			if whole := flags[len(flags)-1] == "--delete" && len(flags) == 2; whole != (st.Matched == 0) {
				t.Errorf("%d bytes matched, %d were literal", st.Matched, st.Literal)
			}
		})
	}
}
