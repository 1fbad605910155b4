package options

import (
	"math"
	"strconv"
	"strings"
)

const (
	minInt32 = math.MinInt32
	maxInt32 = math.MaxInt32
	maxInt64 = math.MaxInt64

	// maxBlockSize is what the oldest protocols allow; newer ones allow
	// 128 KiB, which the engine checks once the version is known.
	// // rsync.h:OLD_MAX_BLOCK_SIZE
	maxBlockSize = 1 << 29
)

// What options do.

func archive(s *state, _ string) *Error {
	if err := s.refuse.refusedAmong(s.names, "recursive", "dirs", "links", "perms", "times", "group", "owner", "D"); err != nil {
		return err
	}
	s.recurseImplied = s.recurseImplied || !s.Recurse
	for _, b := range []*bool{&s.Recurse, &s.Links, &s.Perms, &s.Times, &s.Group, &s.Owner, &s.Devices, &s.Specials} {
		*b = true
	}
	return nil
}

func partialProgress(s *state, _ string) *Error {
	if err := s.refuse.refusedAmong(s.names, "partial", "progress"); err != nil {
		return err
	}
	s.Partial, s.Progress = true, true
	return nil
}

func setIncRecurse(t Tri) action {
	return func(s *state, _ string) *Error { s.IncRecurse = t; return nil }
}

func setDirs(d DirsMode) action {
	return func(s *state, _ string) *Error { s.Dirs = d; return nil }
}

func setListOnly(s *state, _ string) *Error { s.ListOnly = ListAsked; return nil }

func setDevices(on bool) action {
	return func(s *state, _ string) *Error { s.Devices, s.Specials = on, on; return nil }
}

func setModifyWindow(s *state, arg string) *Error {
	return number("modify-window", minInt32, maxInt32, func(o *Options, n int32) { o.ModifyWindow = Number{true, int64(n)} })(s, arg)
}

func setDeleteDuring(m DeleteMode) action {
	return func(s *state, _ string) *Error { s.deleteDuring = m; return nil }
}

func addRule(k RuleKind) action {
	return func(s *state, arg string) *Error { s.Rules = append(s.Rules, Rule{k, arg}); return nil }
}

// addFolderRules is -F: the first one looks for .rsync-filter in every folder,
// a second one leaves these files out. // options.c:parse_arguments
func addFolderRules(s *state, _ string) *Error {
	switch s.folderRules++; s.folderRules {
	case 1:
		s.Rules = append(s.Rules, Rule{RuleFilter, ": /.rsync-filter"})
	case 2:
		s.Rules = append(s.Rules, Rule{RuleFilter, "- .rsync-filter"})
	}
	return nil
}

func setWholeFile(t Tri) action {
	return func(s *state, _ string) *Error { s.WholeFile = t; return nil }
}

// setChecksumChoice takes names of letters and digits only, so that they can
// go to a remote shell as they are. // checksum.c:parse_csum_name
func setChecksumChoice(s *state, arg string) *Error {
	a, b, two := strings.Cut(arg, ",")
	if !two {
		b = a
	}
	for _, name := range []string{a, b} {
		strange := strings.IndexFunc(name, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
		})
		if name == "" || strange >= 0 {
			return &Error{Kind: Unsupported, Option: "--checksum-choice", Text: s.remote() + "unknown checksum name: " + arg}
		}
	}
	s.ChecksumChoice = arg
	return nil
}

func setFamily(f Family) action {
	return func(s *state, _ string) *Error { s.Family = f; return nil }
}

func setMotd(t Tri) action {
	return func(s *state, _ string) *Error { s.Motd = t; return nil }
}

// logFormat is what a client tells a server of its output, and an old name of
// --out-format on a client's own line.
func logFormat(s *state, arg string) *Error {
	if s.mode == server {
		s.LogFormat = arg
		return nil
	}
	s.OutFormat = arg
	return nil
}

func outbuf(s *state, arg string) *Error {
	// options.c:parse_arguments takes a word for its first letter.
	switch {
	case arg != "" && strings.ContainsAny(arg[:1], "nNuU"):
		s.Outbuf = "N"
	case arg != "" && strings.ContainsAny(arg[:1], "lL"):
		s.Outbuf = "L"
	case arg != "" && strings.ContainsAny(arg[:1], "bBfF"):
		s.Outbuf = "B"
	default:
		return syntaxError("Invalid --outbuf setting -- specify N, L, or B.")
	}
	return nil
}

func becomeServer(s *state, _ string) *Error {
	if s.mode == client {
		s.become = server
	}
	s.Server = true
	return nil
}

func setSender(s *state, _ string) *Error {
	if s.mode == client {
		return syntaxError("--sender goes with --server, which an rsync uses to start another; leave it out")
	}
	s.Sender = true
	return nil
}

// asDaemonDo starts over in daemon mode unless that is the mode already.
func asDaemonDo(do func(*state, string)) action {
	return func(s *state, arg string) *Error {
		if s.mode != daemon {
			s.become = daemon
			return nil
		}
		do(s, arg)
		return nil
	}
}

// asDaemonTry is asDaemonDo for what may go wrong.
func asDaemonTry(do action) action {
	return func(s *state, arg string) *Error {
		if s.mode != daemon {
			s.become = daemon
			return nil
		}
		return do(s, arg)
	}
}

// setOver is --dparam. // options.c:parse_arguments
func setOver(s *state, arg string) *Error {
	if !strings.Contains(arg, "=") {
		return syntaxError("--dparam value is missing an '=': %s", arg)
	}
	s.Over = append(s.Over, arg)
	return nil
}

// orDaemon is an option that is about a parameter of rsyncd.conf where it stands
// beside --daemon.
func orDaemon(parameter string, on action) action {
	return func(s *state, arg string) *Error {
		if s.mode == daemon {
			s.Over = append(s.Over, parameter+"="+arg)
			return nil
		}
		return on(s, arg)
	}
}

// What is sent.

func dirsLetter(o *Options, p Peer) string {
	if o.Recurse || !o.TransferDirs() {
		return ""
	}
	if o.Dirs == DirsYes || o.ListOnly != ListNo || o.Delete != DeleteNone && p.Push {
		return "d"
	}
	return ""
}

// noRecurse makes sure that a server which thinks that --delete goes with
// --recursive only is put right.
func noRecurse(o *Options, p Peer) string {
	if p.Push && o.Delete != DeleteNone && !o.Recurse && o.TransferDirs() {
		return "--no-r"
	}
	return ""
}

func listOnlyWord(o *Options, _ Peer) string {
	if o.ListOnly == ListAsked {
		return "--list-only"
	}
	return ""
}

// devicesLetter stands for the specials as well; specialsWord sets that right.
func devicesLetter(o *Options, _ Peer) string {
	if o.Devices {
		return "D"
	}
	return ""
}

func specialsWord(o *Options, _ Peer) string {
	switch {
	case o.Devices && !o.Specials:
		return "--no-specials"
	case o.Specials && !o.Devices:
		return "--specials"
	}
	return ""
}

func modifyWindowWord(o *Options, p Peer) string {
	switch {
	case !o.ModifyWindow.Set || !p.Push:
		return ""
	case o.ModifyWindow.Value < 0:
		return "-@" + strconv.FormatInt(o.ModifyWindow.Value, 10)
	}
	return "--modify-window=" + strconv.FormatInt(o.ModifyWindow.Value, 10)
}

func sizeWord(name string, f func(*Options) Number) func(*Options, Peer) string {
	return func(o *Options, p Peer) string {
		if n := f(o); n.Set && p.Push {
			return name + strconv.FormatInt(n.Value, 10)
		}
		return ""
	}
}

// intWord sends a number unless it is 0.
func intWord(name string, f func(*Options) int64) func(*Options, Peer) string {
	return func(o *Options, _ Peer) string {
		if n := f(o); n != 0 {
			return name + strconv.FormatInt(n, 10)
		}
		return ""
	}
}

func deleteWord(o *Options, p Peer) string {
	if !p.Push {
		return ""
	}
	switch o.Delete {
	case DeleteBefore:
		return "--delete-before"
	case DeleteDuring:
		return "--delete-during"
	case DeleteDelay:
		return "--delete-delay"
	case DeleteAfter:
		return "--delete-after"
	case DeleteDefault:
		if !o.DeleteExcluded {
			return "--delete"
		}
	}
	return ""
}

func maxDeleteWord(o *Options, p Peer) string {
	switch {
	case !o.MaxDelete.Set || !p.Push:
		return ""
	case o.MaxDelete.Value <= 0:
		return "--max-delete=-1" // 0 meant "no limit" before 3.0.0
	}
	return "--max-delete=" + strconv.FormatInt(o.MaxDelete.Value, 10)
}

func wholeFileLetter(o *Options, _ Peer) string {
	if o.WholeFile == Yes {
		return "W"
	}
	return ""
}

func blockSizeWord(o *Options, _ Peer) string {
	if o.BlockSize == 0 {
		return ""
	}
	return "-B" + strconv.Itoa(int(o.BlockSize))
}

func checksumChoiceWord(o *Options, _ Peer) string {
	if o.ChecksumChoice == "" {
		return ""
	}
	return "--checksum-choice=" + o.ChecksumChoice
}

func verboseLetters(o *Options, _ Peer) string {
	return strings.Repeat("v", min(max(o.Verbose, 0), maxLetters))
}

// maxLetters bounds the bundle; no level above 5 means anything.
const maxLetters = 16

func quietLetter(o *Options, _ Peer) string {
	if o.Quiet > 0 {
		return "q"
	}
	return ""
}

// logFormatWord tells a receiving server what it has to report.
func logFormatWord(o *Options, p Peer) string {
	switch {
	case !p.Push:
		return ""
	case o.Itemizes() > 1:
		return "--log-format=%i%I"
	case o.Itemizes() == 1:
		return "--log-format=%i"
	case FormatHas(o.OutFormat, 'o'):
		return "--log-format=%o"
	case o.Format() != "" && o.Verbose == 0:
		return "--log-format=X" // names are shown, though not verbosely
	}
	return ""
}

// nothing is what an option does that asks for what is the case anyway.
func nothing(*state, string) *Error { return nil }
