package client

import (
	"errors"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Route is where files come from and where they go: from another machine, to
// another machine, or neither.
type Route struct {
	From    []Remote // places on one other machine; none if it is this one
	Sources []string // paths of this machine, if From is empty
	To      *Remote  // a place on another machine; nil if it is this one
	Dest    string   // a path of this machine, "" to list only
}

// ParseRoute reads the arguments of a command line that are not options. A
// single one is a source without a destination. Further sources on another
// machine may leave out its name, as in ":PATH" and "::MODULE/PATH"
// (main.c:start_client).
func ParseRoute(args []string) (Route, error) {
	var t Route
	if len(args) == 0 {
		return t, proto.Failf(proto.ExitSyntax, "there is no source")
	}
	first, remote, err := ParsePlace(args[0])
	if err != nil {
		return t, proto.Fail(proto.ExitSyntax, err)
	}
	sources := args
	if len(args) > 1 {
		last := args[len(args)-1]
		sources = args[:len(args)-1]
		to, ok, err := ParsePlace(last)
		switch {
		case err != nil:
			return t, proto.Fail(proto.ExitSyntax, err)
		case ok && remote:
			return t, proto.Failf(proto.ExitSyntax, "The source and destination cannot both be remote.")
		case ok:
			t.To = &to
		default:
			t.Dest = last
		}
		if !ok && last == "" {
			t.Dest = "."
		}
	}
	if !remote {
		t.Sources = sources
		return t, localOnly(sources)
	}
	t.From = []Remote{first}
	for _, arg := range sources[1:] {
		r, err := sameMachine(first, arg)
		if err != nil {
			return t, err
		}
		t.From = append(t.From, r)
	}
	return t, nil
}

// UsePort gives the daemons' places that name no port the one of --port
// (main.c:start_client).
func (t *Route) UsePort(port int) {
	for i := range t.From {
		t.From[i].usePort(port)
	}
	if t.To != nil {
		t.To.usePort(port)
	}
}

func (r *Remote) usePort(port int) {
	if r.Port == 0 && !r.Shell {
		r.Port = port
	}
}

// localOnly makes sure that no source but the first is on another machine.
func localOnly(sources []string) error {
	for _, s := range sources {
		if _, remote, _ := ParsePlace(s); remote {
			return proto.Failf(proto.ExitSyntax, "Unexpected remote arg: %s", s)
		}
	}
	return nil
}

// sameMachine reads a further source, which must be where the first one is.
func sameMachine(first Remote, arg string) (Remote, error) {
	const anyHost = "x"
	unnamed := strings.HasPrefix(arg, ":")
	text := arg
	if unnamed {
		text = anyHost + arg
	}
	r, remote, err := ParsePlace(text)
	switch {
	case !remote:
		return r, proto.Failf(proto.ExitSyntax, "Unexpected local arg: %s\nIf arg is a remote file/dir, prefix it with a colon (:).", arg)
	case err != nil:
		return r, proto.Fail(proto.ExitSyntax, err)
	case unnamed:
		r.User, r.Host, r.Port = first.User, first.Host, first.Port
	}
	if r.Shell != first.Shell || r.Host != first.Host || r.User != first.User || r.Port != first.Port {
		return r, proto.Failf(proto.ExitSyntax, "All source args must come from the same machine.")
	}
	return r, nil
}

// Partial reports whether a run ended in order, with some files left out.
func Partial(err error) bool {
	var e proto.Exit
	return errors.As(err, &e) && (e == proto.ExitPartial || e == proto.ExitVanished || e == proto.ExitDelLimit)
}

// ErrorName says what an exit code means in the words that rsync's users and
// their scripts know (log.c:rerr_names).
func ErrorName(code proto.Exit) string {
	names := map[proto.Exit]string{
		proto.ExitSyntax:      "syntax or usage error",
		proto.ExitProtocol:    "protocol incompatibility",
		proto.ExitFileSelect:  "errors selecting input/output files, dirs",
		proto.ExitUnsupported: "requested action not supported",
		proto.ExitStartClient: "error starting client-server protocol",
		proto.ExitSocketIO:    "error in socket IO",
		proto.ExitFileIO:      "error in file IO",
		proto.ExitStreamIO:    "error in rsync protocol data stream",
		proto.ExitMessageIO:   "errors with program diagnostics",
		proto.ExitIPC:         "error in IPC code",
		proto.ExitSignal:      "received SIGINT, SIGTERM, or SIGHUP",
		proto.ExitMalloc:      "error allocating core memory buffers",
		proto.ExitPartial:     "some files/attrs were not transferred (see previous errors)",
		proto.ExitVanished:    "some files vanished before they could be transferred",
		proto.ExitDelLimit:    "the --max-delete limit stopped deletions",
		proto.ExitTimeout:     "timeout in data send/receive",
		proto.ExitConnTimeout: "timeout waiting for daemon connection",
		124:                   "remote shell failed",
		125:                   "remote shell killed",
		126:                   "remote command could not be run",
		127:                   "remote command not found",
	}
	if name, ok := names[code]; ok {
		return name
	}
	return "unexplained error"
}
