package daemon

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// LockUp makes dir the root of this process's file system, for good: "daemon
// chroot". The time zone, which is outside, is read before.
func LockUp(dir string) error {
	_ = time.Now().Local().String() // whatever there is
	return lockUp(dir, rootfs.Operator{})
}

// KeepLittle has root give up what it does not need for moving files, above all
// the way out of a chroot; workers for it come from outside.
func KeepLittle() error { return dropCapabilities() }

// Outside is the way of a daemon that is locked up in a folder to who is not: a
// process of the same program that starts workers for it (see [Attend]), as there
// is no program to start inside.
type Outside struct{ conn *net.UnixConn }

// Passage makes a way between the two: one end for [Attend], and the descriptor of
// the other for [EnterBy] in another process.
func Passage() (*net.UnixConn, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	inside := os.NewFile(uintptr(pair[1]), "the way out")
	conn, err := unixConn(os.NewFile(uintptr(pair[0]), "the way in"))
	if err != nil {
		inside.Close()
	}
	return conn, inside, err
}

// EnterBy takes the inner end of a [Passage] over.
func EnterBy(f *os.File) (*Outside, error) {
	conn, err := unixConn(f)
	return &Outside{conn}, err
}

// unixConn makes a connection of a descriptor, which it closes.
func unixConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%s is no socket of this machine's", f.Name())
	}
	return u, nil
}

// What is said on the way out.
const (
	sayReady  = 'r' // clients are served from now on
	sayWorker = 'w' // start a worker: its input, log, an end for the answer, the connection, a name converter or none
)

// Ready says that clients are served from now on.
func (o *Outside) Ready() error {
	_, err := o.conn.Write([]byte{sayReady})
	return err
}

// workerEnd is how a worker of [Outside.Spawn] has ended.
type workerEnd struct{ code int }

func (e *workerEnd) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// ExitCode is what the process ended with.
func (e *workerEnd) ExitCode() int { return e.code }

// Spawn is [Spawn] by way of the process outside.
func (o *Outside) Spawn(ctx context.Context, conn *os.File, job Job, stderr io.Writer) error {
	text, err := job.encode()
	if err != nil {
		return err
	}
	w, err := o.order(conn, job, stderr)
	if err != nil {
		return fmt.Errorf("start a worker for module %q: %w", job.Module.Name, err)
	}
	defer w.answer.Close()
	defer context.AfterFunc(ctx, func() {
		w.input.Close()
		time.AfterFunc(workerGrace, func() { w.answer.Close() }) // it is killed then
	})()
	_, writeErr := w.input.Write(text)
	said, err := io.ReadAll(io.LimitReader(w.answer, 1024))
	w.input.Close()
	switch {
	case len(said) < 4:
		err = errors.Join(errors.New("who starts workers has gone"), err)
	case int32(binary.LittleEndian.Uint32(said)) < 0:
		err = errors.New(string(said[4:]))
	case int32(binary.LittleEndian.Uint32(said)) > 0:
		err = &workerEnd{int(binary.LittleEndian.Uint32(said))}
	default:
		return nil
	}
	return fmt.Errorf("worker for module %q: %w", job.Module.Name, errors.Join(err, writeErr))
}

// ordered is what a daemon keeps of a worker.
type ordered struct {
	input  *os.File
	answer net.Conn
}

// order asks for a worker.
func (o *Outside) order(conn *os.File, job Job, stderr io.Writer) (w ordered, err error) {
	in, input, err := os.Pipe()
	if err != nil {
		return w, err
	}
	defer in.Close()
	log := job.Log
	if log == nil {
		r, written, err := os.Pipe()
		if err != nil {
			input.Close()
			return w, err
		}
		defer written.Close()
		log = written
		go func() {
			defer r.Close()
			_, _ = io.Copy(stderr, r)
		}()
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		input.Close()
		return w, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "answer")
	defer theirs.Close()
	answer, err := unixConn(os.NewFile(uintptr(pair[0]), "answer"))
	if err != nil {
		input.Close()
		return w, err
	}
	fds := []int{int(in.Fd()), int(log.Fd()), int(theirs.Fd()), int(conn.Fd())}
	if job.Names != nil {
		fds = append(fds, int(job.Names.Fd()))
	}
	if _, _, err = o.conn.WriteMsgUnix([]byte{sayWorker}, unix.UnixRights(fds...), nil); err != nil {
		input.Close()
		answer.Close()
		return w, err
	}
	return ordered{input, answer}, nil
}

// Attend is the outer side: until the daemon inside has ended, it starts a worker
// for each that it asks for. The workers are this program with args, which must
// lock them up as the daemon is, and then lead to [Work]; whoever takes the daemon
// over can have nothing else started. Without args there are no workers. ready is
// called when the daemon serves clients.
func Attend(conn *net.UnixConn, ready func(), args ...string) {
	defer conn.Close()
	said, rights := make([]byte, 16), make([]byte, unix.CmsgSpace(8*4))
	for {
		n, oobn, _, _, err := conn.ReadMsgUnix(said, rights)
		if err != nil || n == 0 {
			return
		}
		files := received(rights[:oobn])
		switch {
		case said[0] == sayReady:
			ready()
		case said[0] == sayWorker && len(args) > 0 && (len(files) == 4 || len(files) == 5):
			go hire(files, args)
			continue
		}
		closeAll(files)
	}
}

// received takes descriptors over.
func received(rights []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "from inside"))
		}
	}
	return files
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// hire runs a worker and answers how it ended: its exit code, or -1 and why it has
// none. When nobody waits for the answer any more it is killed.
func hire(files []*os.File, args []string) {
	cmd := workerCommand(context.Background(), args)
	cmd.Stdin, cmd.Stderr, cmd.ExtraFiles = files[0], files[1], files[3:]
	answer, err := unixConn(files[2])
	if err == nil {
		defer answer.Close()
		err = startWorker(cmd)
	}
	closeAll(files)
	if answer == nil {
		return // nobody hears it
	}
	if err == nil {
		go func() {
			_, _ = io.Copy(io.Discard, answer)
			_ = cmd.Process.Kill() // it may have ended
		}()
		err = cmd.Wait()
	}
	code := int32(-1)
	var ended *exec.ExitError
	switch {
	case err == nil:
		code = 0
	case errors.As(err, &ended) && ended.Exited():
		code = int32(ended.ExitCode())
	}
	text := binary.LittleEndian.AppendUint32(nil, uint32(code))
	if code < 0 {
		text = append(text, err.Error()...)
	}
	_, _ = answer.Write(text)
}

// WriteConfig hands a configuration to a daemon in another process, without its
// notes.
func WriteConfig(w io.Writer, cfg *conf.Config) error {
	c := *cfg
	c.Modules, c.Places, c.Notes = slices.Clone(c.Modules), maps.Clone(c.Places), nil
	if err := eachString(reflect.ValueOf(&c).Elem(), widen); err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(c)
}

// ReadConfig reads what [WriteConfig] has written; io.EOF after the last.
func ReadConfig(from *json.Decoder) (*conf.Config, error) {
	cfg := &conf.Config{}
	if err := from.Decode(cfg); err != nil {
		return nil, err
	}
	return cfg, eachString(reflect.ValueOf(cfg).Elem(), narrow)
}
