package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Job is what a worker must know to go on with a session after the client's
// arguments have been read.
type Job struct {
	Module  conf.Module
	Args    []string
	Refusal string // why it must not be done after all, "" if it may
	// TrimLinks says that links that come in must not lead out of the module.
	TrimLinks bool
	Version   int    // agreed protocol version
	Early     []byte // what the client has sent ahead
	From      string // the client's address
	Host      string // its name, or what stands for one
	User      string // who has logged in, \"\" for nobody
	Umask     uint32
	UID       uint32
	GID       uint32
	Groups    []uint32 // GID among them; none but GID where it is empty
	// Chroot is a folder to lock the worker up in, "" for none; with
	// ChrootTry it goes on if that cannot be done.
	Chroot    string
	ChrootTry bool
	// Hello is what is left of the time that the client has for getting to
	// its transfer.
	Hello time.Duration
	// Processors is how many the worker may use once it has work for them.
	Processors int
	// Convert says that there is a name converter, and Names, not part of the job's
	// text, is the way to it: the worker's descriptor 4.
	Convert bool
	Names   *os.File `json:"-"`
	// Log is the module's own log file, nil for none. It is not part of the
	// job's text: Spawn makes it the worker's stderr.
	Log *os.File `json:"-"`
}

// hand passes the session to a worker process that gives up root: in one
// process, threads of different users would share one address space.
func (c *session) hand(ctx context.Context, t task, who identity, in jail) error {
	early, err := c.early()
	if err != nil {
		return err
	}
	f, done, err := passable(c.conn)
	if err != nil {
		return fmt.Errorf("pass the connection to a worker: %w", err)
	}
	defer done()
	log := c.openLog(t.module)
	if log != nil {
		defer log.Close()
	}
	_, c.handed = c.conn.(*net.TCPConn) // else it is relayed, and ours to close
	err = c.Worker(ctx, f, Job{
		Module: *t.module, Args: t.args, Refusal: t.refusal, TrimLinks: t.trimLinks, Version: c.caps.Version, Early: early, Umask: c.Umask,
		From: c.who.text, Host: c.who.name, User: c.user,
		UID: who.UID, GID: who.GID, Groups: who.Groups, Chroot: in.dir, ChrootTry: in.expend, Hello: time.Until(c.until), Log: log, Processors: runtime.GOMAXPROCS(0),
		Convert: t.names != nil, Names: t.names,
	})
	var ended interface {
		error
		ExitCode() int
	}
	if errors.As(err, &ended) && ended.ExitCode() >= 0 {
		c.exit = proto.Exit(ended.ExitCode())
		return nil // the worker has said why
	}
	if err != nil {
		c.exit, c.raw = -1, -1
		var ended *exec.ExitError
		if errors.As(err, &ended) {
			c.raw = int(ended.Sys().(syscall.WaitStatus))
		}
	}
	return err
}

// passable makes of a connection a descriptor that another process can go on
// with. What is no socket, such as the pipes of a remote shell, is carried from
// and to one here. done ends that, when the worker has ended.
func passable(conn net.Conn) (f *os.File, done func(), err error) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if f, err = tcp.File(); err != nil {
			return nil, nil, err
		}
		return f, func() { f.Close() }, nil
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs, ours := os.NewFile(uintptr(pair[0]), "worker's end"), os.NewFile(uintptr(pair[1]), "our end")
	local, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	var wg sync.WaitGroup
	_ = conn.SetDeadline(time.Time{}) // the worker keeps the time
	go func() {
		_, _ = io.Copy(local, conn)
		_ = local.(*net.UnixConn).CloseWrite()
	}()
	wg.Go(func() { _, _ = io.Copy(conn, local) })
	return theirs, func() {
		theirs.Close() // the last of it that is open: the copy to the client ends
		_ = conn.SetWriteDeadline(time.Now().Add(relayRest))
		wg.Wait()
		local.Close()
	}, nil
}

// relayRest is how long the rest of what a worker has said may take to a client
// that does not read.
const relayRest = 30 * time.Second

// early returns what the client has sent ahead and nobody has read.
func (c *session) early() ([]byte, error) {
	if c.r.Buffered() == 0 {
		return nil, nil
	}
	p, err := c.r.Prime()
	return bytes.Clone(p), err
}

// workerGrace is how long a worker may take to end once it is told to.
const workerGrace = 3 * time.Second

// Spawn runs a worker: this program again, with args, which must lead it to
// [Work]. It gets the job on its standard input, which stays open as long as
// the session may go on, the connection as descriptor 3, a name converter as 4, and
// stderr (or the module's own log file) for its log. Of the environment it gets TZ,
// GOGC and GOMEMLIMIT, and a GOMAXPROCS of 1 to begin with. Spawn returns when the
// worker has ended; when ctx ends, the worker is told to end by closing its standard
// input, and killed if it does not. Should this process die, its workers end as well.
func Spawn(ctx context.Context, conn *os.File, job Job, stderr io.Writer, args ...string) error {
	text, err := job.encode()
	if err != nil {
		return err
	}
	cmd := workerCommand(ctx, args)
	cmd.Stderr = stderr
	if job.Log != nil {
		cmd.Stderr = job.Log
	}
	cmd.ExtraFiles = []*os.File{conn}
	if job.Names != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, job.Names)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("worker for module %q: %w", job.Module.Name, err)
	}
	cmd.Cancel = stdin.Close
	cmd.WaitDelay = workerGrace
	if err := startWorker(cmd); err != nil {
		stdin.Close()
		return fmt.Errorf("start a worker for module %q: %w", job.Module.Name, err)
	}
	_, writeErr := stdin.Write(text)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("worker for module %q: %w", job.Module.Name, errors.Join(err, writeErr))
	}
	return nil
}

// encode writes the job as one JSON value. Paths and names may hold any bytes,
// which JSON's strings may not: each byte travels as the character of that
// number.
func (j Job) encode() ([]byte, error) {
	err := eachString(reflect.ValueOf(&j).Elem(), widen)
	if err != nil {
		return nil, err
	}
	return json.Marshal(j)
}

// maxJob bounds the job's text.
const maxJob = 8 << 20

func readJob(in io.Reader) (Job, error) {
	var j Job
	err := json.NewDecoder(io.LimitReader(in, maxJob)).Decode(&j)
	if err == nil {
		err = eachString(reflect.ValueOf(&j).Elem(), narrow)
	}
	if err != nil {
		return Job{}, fmt.Errorf("read the worker's job: %w", err)
	}
	return j, nil
}

// widen makes characters of bytes, and narrow bytes of characters.
func widen(s string) (string, error) {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes), nil
}

func narrow(s string) (string, error) {
	var b strings.Builder
	for _, r := range s {
		if r > 0xff {
			return "", fmt.Errorf("character %U stands for no byte", r)
		}
		b.WriteByte(byte(r))
	}
	return b.String(), nil
}

// eachString replaces every string in a struct, in its lists and in its maps. The
// lists of strings that it changes are its own.
func eachString(v reflect.Value, f func(string) (string, error)) error {
	switch v.Kind() {
	case reflect.String:
		s, err := f(v.String())
		if err != nil {
			return err
		}
		v.SetString(s)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := eachString(v.Field(i), f); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			s, err := f(v.MapIndex(key).String())
			if err != nil {
				return err
			}
			v.SetMapIndex(key, reflect.ValueOf(s))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				if err := eachString(v.Index(i), f); err != nil {
					return err
				}
			}
			return nil
		}
		if v.Type().Elem().Kind() != reflect.String || v.IsNil() {
			return nil
		}
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		for i := range list.Len() {
			if err := eachString(list.Index(i), f); err != nil {
				return err
			}
		}
		v.Set(list)
	}
	return nil
}
