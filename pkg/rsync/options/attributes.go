package options

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/chmod"
)

// Super says whether a receiving side acts as if it were root, which decides
// over owners and devices. // options.c: am_root
type Super uint8

// The values: as the user is, --super, --no-super, --fake-super.
const (
	SuperAuto Super = iota
	SuperYes
	SuperNo
	SuperFake
)

// Root says whether to act as root; root is whether the user is. With
// SuperFake it is false: what root would do is only written down.
func (s Super) Root(root bool) bool {
	switch s {
	case SuperYes:
		return true
	case SuperNo, SuperFake:
		return false
	}
	return root
}

// Attributes are the options about attributes of files beyond the usual ones.
type Attributes struct {
	// Chmod are changes for package chmod, divided by commas; each side gives
	// its own, and a server is not told a client's.
	Chmod         string
	Executability bool // -E; matters without Perms
	// UserMap and GroupMap are lists of FROM:TO, divided by commas; --chown is
	// a map of "*".
	UserMap, GroupMap string
	Super             Super
	Atimes            int  // count of -U; from 2 on files are read without changing theirs
	OpenNoatime       bool // --open-noatime
	ACLs              bool // -A, which implies Perms
	Xattrs            int  // count of -X; from 2 on rsync's own attributes are copied, too

	// What happens to symbolic links.
	CopyLinks       bool // -L
	CopyUnsafeLinks bool
	CopyDirlinks    bool // -k
	KeepDirlinks    bool // -K
	SafeLinks       bool
	// MungeLinks is this side's own affair: a server is not told.
	MungeLinks bool

	// How paths are opened that whoever runs this side names; the other side is not told. A daemon refuses the first and
	// ignores the second.
	InsecureLinks bool   // links are followed whoever owns them
	ConfineRoot   string // the absolute folder that they must lie in, "" for none
}

// confine is --confine-root.
func confine(s *state, arg string) *Error {
	if !strings.HasPrefix(arg, "/") {
		return syntaxError("%s--confine-root must be an absolute path", s.remote())
	}
	s.ConfineRoot = arg
	return nil
}

// addChmod appends a list of changes to those given before.
func addChmod(s *state, arg string) *Error {
	if _, err := chmod.Parse(arg, 0); err != nil {
		return syntaxError("%sInvalid argument passed to --chmod (%s)", s.remote(), arg)
	}
	if s.Chmod != "" {
		arg = s.Chmod + "," + arg
	}
	s.Chmod = arg
	return nil
}

func setSuper(v Super) action {
	return func(s *state, _ string) *Error { s.Super = v; return nil }
}

// mapping is what --usermap and --groupmap share with --chown, which sets both.
type mapping struct {
	option, affects string
	text            func(*Options) *string
	keep            func(*Options) *bool // -o or -g, which a map implies
	chown           func(*state) *bool   // whether --chown has set it
}

func userMapping() mapping {
	return mapping{"usermap", "user", func(o *Options) *string { return &o.UserMap },
		func(o *Options) *bool { return &o.Owner }, func(s *state) *bool { return &s.chownUser }}
}

func groupMapping() mapping {
	return mapping{"groupmap", "group", func(o *Options) *string { return &o.GroupMap },
		func(o *Options) *bool { return &o.Group }, func(s *state) *bool { return &s.chownGroup }}
}

// set keeps a map, of which there may be one.
func (m mapping) set(s *state, arg string, viaChown bool) *Error {
	text, chown := m.text(&s.Options), m.chown(s)
	switch {
	case *text == "":
	case viaChown && *chown:
		return syntaxError("%sYou can only specify a %s-affecting --chown once.", s.remote(), m.affects)
	case viaChown:
		return syntaxError("%s--chown conflicts with prior --%s.", s.remote(), m.option)
	case *chown:
		return syntaxError("%s--%s conflicts with prior --chown.", s.remote(), m.option)
	default:
		return syntaxError("%sYou can only specify --%s once.", s.remote(), m.option)
	}
	*text, *chown, *m.keep(&s.Options) = arg, viaChown, true
	return nil
}

func setMap(m mapping) action {
	return func(s *state, arg string) *Error { return m.set(s, arg, false) }
}

// setChown is --chown=USER:GROUP, either of which may be missing.
func setChown(s *state, arg string) *Error {
	user, group, _ := strings.Cut(arg, ":")
	if user != "" {
		if err := userMapping().set(s, "*:"+user, true); err != nil {
			return err
		}
	}
	if group == "" {
		return nil
	}
	return groupMapping().set(s, "*:"+group, true)
}

// What is sent.

func executabilityLetter(o *Options, p Peer) string {
	if o.Executability && !o.Perms && p.Push {
		return "E"
	}
	return ""
}

func atimesLetters(o *Options, _ Peer) string { return strings.Repeat("U", min(o.Atimes, 2)) }

func setACLs(s *state, _ string) *Error {
	s.ACLs, s.Perms = true, true
	return nil
}

func aclLetter(o *Options, _ Peer) string {
	if o.ACLs {
		return "A"
	}
	return ""
}

func xattrLetters(o *Options, _ Peer) string { return strings.Repeat("X", min(o.Xattrs, 2)) }

// noAtimeWord is left out where -UU says it.
func noAtimeWord(o *Options, _ Peer) string {
	if o.OpenNoatime && o.Atimes < 2 {
		return "--open-noatime"
	}
	return ""
}

func superWord(o *Options, p Peer) string {
	if o.Super == SuperYes && p.Push {
		return "--super"
	}
	return ""
}

func mapWord(m mapping) func(*Options, Peer) string {
	return func(o *Options, p Peer) string {
		if text := *m.text(o); text != "" && p.Push {
			return "--" + m.option + "=" + text
		}
		return ""
	}
}
