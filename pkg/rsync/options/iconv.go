package options

import "strings"

// How names are converted between the character sets of two sides. Which there
// are is for package charset to say.

// setIconv takes a specification; "-" is none. // options.c:parse_arguments
func setIconv(s *state, arg string) *Error {
	if arg == "-" && s.mode == client {
		return noIconv(s, "")
	}
	s.iconv = Yes
	s.Iconv, s.iconvRemote = iconvSpec(s.mode, arg)
	return nil
}

func noIconv(s *state, _ string) *Error {
	s.iconv = No
	s.Iconv, s.iconvRemote = "", ""
	return nil
}

// iconvSpec takes LOCAL[,REMOTE] apart; REMOTE is LOCAL where it is not said. A
// server that is told both takes the second. "." stands for the locale's.
// // rsync.c:setup_iconv
func iconvSpec(m mode, arg string) (local, remote string) {
	local, remote, two := strings.Cut(arg, ",")
	if !two {
		remote = local
	}
	if m == server {
		local = remote
	}
	if local == "" {
		local = "."
	}
	return local, remote
}

// finishIconv has RSYNC_ICONV decide what the command line leaves open.
func (s *state) finishIconv() *Error {
	v := s.variable("RSYNC_ICONV")
	if s.iconv != Unset || v == "" {
		return nil
	}
	return setIconv(s, v)
}

// iconvWord tells the server its own character set. // options.c:server_options
func iconvWord(o *Options, _ Peer) string {
	if o.Iconv == "" {
		return ""
	}
	return "--iconv=" + o.iconvRemote
}

// IconvAsked returns the character set that a server's arguments, or the first of
// them, ask for: what [Options.Iconv] will be.
func IconvAsked(args []string) string {
	asked := ""
	for _, a := range args {
		if a == "." {
			break
		}
		if v, ok := strings.CutPrefix(a, "--iconv="); ok {
			asked, _ = iconvSpec(server, v)
		}
	}
	return asked
}
