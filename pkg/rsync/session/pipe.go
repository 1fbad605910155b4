package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// UncleanError says that what came first from a remote shell was no protocol
// version. Text is the beginning of it, at most 1 KiB, and empty if nothing
// came at all.
type UncleanError struct {
	Text []byte
	Err  error // why no more could be read; nil if enough was there
}

// Error begins with the words that users of rsync know and search for.
func (e *UncleanError) Error() string {
	if len(e.Text) == 0 {
		return fmt.Sprintf("the other side has not said a word: %v", e.Err)
	}
	return "protocol version mismatch -- is your shell clean? The other side began with " + quoteStart(e.Text)
}

// Unwrap returns the error of the stream, if there was one.
func (e *UncleanError) Unwrap() error { return e.Err }

const (
	maxUnclean  = 1024                   // bytes of what is not a version
	uncleanWait = 300 * time.Millisecond // how long the rest of it is waited for
	versionLen  = 4                      // bytes of a version on a shell
)

func quoteStart(p []byte) string {
	const most = 200
	if len(p) > most {
		return fmt.Sprintf("%q...", p[:most])
	}
	return fmt.Sprintf("%q", p)
}

// GreetShellServer exchanges versions with a server that a remote shell has
// started (compat.c:setup_protocol): it reads the server's first, so that a
// release that refuses newer ones hears a version that it understands. Where
// no version comes the error is or wraps an [UncleanError]; deadline sets the
// time by which the next read must be over.
func GreetShellServer(r *wire.Reader, w *wire.Writer, ours int, deadline func(time.Time)) (int, error) {
	if err := proto.CheckOwn(ours); err != nil {
		return 0, proto.Fail(proto.ExitSyntax, err)
	}
	early, err := r.Prime()
	for err == nil && len(early) < versionLen {
		early, err = r.PrimeMore()
	}
	if len(early) < versionLen || !proto.IsVersion(binary.LittleEndian.Uint32(early)) {
		return 0, unclean(r, early, err, deadline)
	}
	theirs := int(r.Int32())
	announced := proto.Announce(ours, theirs)
	if err := sendText(w, string(wire.AppendInt32(nil, int32(announced)))); err != nil {
		return 0, fmt.Errorf("announce the version: %w", err)
	}
	return agree(announced, theirs)
}

// unclean collects what comes in place of a version.
func unclean(r *wire.Reader, early []byte, err error, deadline func(time.Time)) error {
	if err == nil {
		deadline(time.Now().Add(uncleanWait))
		for err == nil && len(early) < maxUnclean {
			early, err = r.PrimeMore()
		}
		deadline(time.Time{})
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrShortBuffer) {
			err = nil
		}
	}
	code := proto.ExitProtocol
	if len(early) == 0 {
		code = proto.ExitStreamIO
	}
	text := append([]byte(nil), early[:min(len(early), maxUnclean)]...)
	failure := &UncleanError{text, err}
	if code == proto.ExitProtocol {
		return &proto.Failure{Code: code, Err: failure}
	}
	return broken(code, failure)
}

// GreetShellClient is the server's side of [GreetShellServer]. letters are
// those that the client has shown in -e.
func GreetShellClient(r *wire.Reader, w *wire.Writer, ours int, letters string) (int, error) {
	announced := proto.AnnounceToClient(ours, letters)
	if err := sendText(w, string(wire.AppendInt32(nil, int32(announced)))); err != nil {
		return 0, fmt.Errorf("announce the version: %w", err)
	}
	theirs := r.Int32()
	if r.Err() != nil {
		return 0, broken(proto.ExitStreamIO, fmt.Errorf("read the client's version: %w", r.Err()))
	}
	return agree(announced, int(theirs))
}

// pipes is a connection made of two one-way streams.
type pipes struct {
	in, out *os.File
	once    sync.Once
	err     error
}

// Pipes makes a connection of what is read from and what is written to, such
// as the ends of two pipes. Closing it closes both. Deadlines work where the
// files are pipes or sockets that do not block.
func Pipes(in, out *os.File) net.Conn { return &pipes{in: in, out: out} }

func (p *pipes) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipes) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *pipes) Close() error {
	p.once.Do(func() { p.err = errors.Join(p.out.Close(), p.in.Close()) })
	return p.err
}

// CloseWrite ends what the other side reads.
func (p *pipes) CloseWrite() error { return p.out.Close() }

func (p *pipes) SetReadDeadline(t time.Time) error  { return p.in.SetReadDeadline(t) }
func (p *pipes) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }
func (p *pipes) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

func (p *pipes) LocalAddr() net.Addr  { return pipeAddr{} }
func (p *pipes) RemoteAddr() net.Addr { return pipeAddr{} }

// pipeAddr is the address of what has none.
type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
