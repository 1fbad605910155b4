package session

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

const (
	marker      = "@RSYNCD: "
	errorMarker = "@ERROR: "
	maxLine     = 4096 // bytes of a text line
	maxGreeting = 512  // bytes of a client's greeting that are looked at early
	maxMotd     = 1000 // lines of a message of the day
)

// Greeting is the first line that each side of a daemon connection sends.
type Greeting struct {
	Version int
	// Digests names authentication digests; it may be empty.
	Digests string
}

// ParseGreeting takes a greeting line apart, without its newline. A
// sub-version other than 0 belongs to a pre-release, whose version nobody else
// can be sure of: it counts as the version before
// (clientserver.c:exchange_protocols).
func ParseGreeting(line string) (Greeting, error) {
	rest, ok := strings.CutPrefix(line, marker)
	if !ok {
		return Greeting{}, fmt.Errorf("the peer does not greet like an rsync daemon or client, but says %q", clip(line))
	}
	number, digests, _ := strings.Cut(rest, " ")
	major, minor, dotted := strings.Cut(number, ".")
	if !dotted {
		minor = "0"
	}
	v, err := strconv.ParseUint(major, 10, 31)
	sub, subErr := strconv.ParseUint(minor, 10, 31)
	if err != nil || subErr != nil || v == 0 {
		return Greeting{}, fmt.Errorf("the peer greets with version %q, which is no number", clip(number))
	}
	if sub != 0 {
		v--
	}
	return Greeting{int(v), strings.TrimSpace(digests)}, nil
}

func clip(s string) string { return s[:min(len(s), 80)] }

// printable makes a peer's line safe for a terminal: control characters but
// the tab become \#ooo (log.c:filtered_fwrite).
func printable(line string) string {
	control := func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
	if strings.IndexFunc(line, control) < 0 {
		return line
	}
	var b strings.Builder
	for i := range len(line) {
		if c := line[i]; control(rune(c)) {
			fmt.Fprintf(&b, `\#%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// broken wraps the error of a connection: a timeout or a cancelled context
// keeps the code that it has of itself.
func broken(code proto.Exit, err error) error {
	if own := proto.ExitCode(err); own == proto.ExitTimeout || own == proto.ExitSignal {
		code = own
	}
	return proto.Fail(code, err)
}

// AppendGreeting appends the greeting line for a version
// (compat.c:output_daemon_greeting).
func AppendGreeting(b []byte, version int) []byte {
	b = append(b, marker...)
	b = strconv.AppendInt(b, int64(version), 10)
	if proto.HasSubVersion(version) {
		b = append(b, ".0"...)
	}
	if proto.NamesDigests(version) {
		b = append(b, ' ')
		b = append(b, checksum.AuthList...)
	}
	return append(b, '\n')
}

// GreetServer greets a daemon as its client: the daemon speaks first, and
// hears a version that it understands. Only the start of our line goes out at
// once, by which a daemon of this package knows that it need not wait for the
// rest. It returns the version that both speak, and the daemon's digests where
// both sides have named some: each side chooses by the other's list, so that
// one list alone decides nothing.
func GreetServer(r *wire.Reader, w *wire.Writer, ours int) (Greeting, error) {
	if err := proto.CheckOwn(ours); err != nil {
		return Greeting{}, proto.Fail(proto.ExitSyntax, err)
	}
	if err := sendText(w, marker); err != nil {
		return Greeting{}, fmt.Errorf("greet the daemon: %w", err)
	}
	theirs, err := readGreeting(r)
	if err != nil {
		return Greeting{}, err
	}
	announced := proto.Announce(ours, theirs.Version)
	line := AppendGreeting(nil, announced)
	if _, err := w.Write(line[len(marker):]); err != nil {
		return Greeting{}, err
	}
	if !proto.NamesDigests(announced) {
		theirs.Digests = ""
	}
	theirs.Version, err = agree(announced, theirs.Version)
	return theirs, err
}

func readGreeting(r *wire.Reader) (Greeting, error) {
	line := r.Line('\n', maxLine, "greeting")
	if r.Err() != nil {
		return Greeting{}, broken(proto.ExitStartClient, fmt.Errorf("read the peer's greeting: %w", r.Err()))
	}
	if text, ok := strings.CutPrefix(line, errorMarker); ok {
		return Greeting{}, proto.Failf(proto.ExitStartClient, "the daemon refuses: %s", printable(text))
	}
	g, err := ParseGreeting(line)
	return g, proto.Fail(proto.ExitProtocol, err)
}

func agree(ours, theirs int) (int, error) {
	v, err := proto.Agree(ours, theirs)
	return v, proto.Fail(proto.ExitProtocol, err)
}

// EarlyWait is how long a daemon waits for a client's greeting before it
// greets itself. C rsync's clients send theirs as soon as they are connected.
const EarlyWait = 200 * time.Millisecond

// GreetClient greets a client as its daemon. Clients up to 2.5.7 refuse a
// daemon that announces more than 30, so we look at the client's version
// first, if it comes in time; deadline sets the time by which the next read
// must be over, the zero time for none. motd, whole lines or empty, is sent
// right after the greeting. Whoever does not greet like a client is told so.
// It returns the version that both speak, with the digests that the client
// names where both do.
func GreetClient(r *wire.Reader, w *wire.Writer, ours int, motd string, deadline func(time.Time)) (Greeting, error) {
	deadline(time.Now().Add(EarlyWait))
	early, err := r.Prime()
	for err == nil && waitsForMore(string(early)) {
		early, err = r.PrimeMore()
	}
	deadline(time.Time{})
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return Greeting{}, broken(proto.ExitSocketIO, fmt.Errorf("read the client's greeting: %w", err))
	}
	announced := ours
	if line, _, whole := strings.Cut(string(early), "\n"); whole {
		if g, err := ParseGreeting(line); err == nil {
			announced = proto.Announce(ours, g.Version)
		}
	}
	if err := sendText(w, string(AppendGreeting(nil, announced))+motd); err != nil {
		return Greeting{}, err
	}
	theirs, err := readGreeting(r)
	if !proto.NamesDigests(announced) {
		theirs.Digests = "" // the client has not seen ours, and takes its version's
	}
	if err == nil {
		announced, err = agree(announced, theirs.Version)
	}
	if err == nil {
		return Greeting{announced, theirs.Digests}, nil
	}
	if r.Err() == nil { // it is still there to be told
		err = errors.Join(err, sendText(w, "@ERROR: protocol startup error\n"))
	}
	return Greeting{}, err
}

// waitsForMore reports whether the start of a client's line may go on: it has
// no end yet, and is not the part alone that [GreetServer] sends ahead.
func waitsForMore(early string) bool {
	return early != marker && len(early) < maxGreeting && !strings.Contains(early, "\n")
}

// sendText sends a line or more at once. That the peer has gone is no error yet:
// reading follows, and what the peer has said before it went tells more. Which of
// both is noticed first is chance.
func sendText(w *wire.Writer, text string) error {
	_, err := w.Write([]byte(text))
	if err == nil {
		err = w.Flush()
	}
	if proto.IsGone(err) {
		return nil
	}
	return broken(proto.ExitSocketIO, err)
}
