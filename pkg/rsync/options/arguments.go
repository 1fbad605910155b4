package options

import (
	"slices"
	"strconv"
	"strings"
)

// How arguments reach the other side whole. // options.c:safe_arg

func setSecluded(t Tri) action {
	return func(s *state, _ string) *Error { s.Secluded = t; return nil }
}

func oldArgs(s *state, _ string) *Error {
	s.OldArgs = max(s.OldArgs, 0) + 1
	return nil
}

func remoteOption(s *state, arg string) *Error {
	if !strings.HasPrefix(arg, "-") {
		return syntaxError("Remote option must start with a dash: %s", arg)
	}
	s.RemoteOptions = append(s.RemoteOptions, arg)
	return nil
}

func secludedLetter(o *Options, _ Peer) string {
	if o.Secluded == Yes {
		return "s"
	}
	return ""
}

// finishArguments has the environment decide what the command line leaves
// open. // options.c:parse_arguments
func (s *state) finishArguments() *Error {
	if err := s.finishIconv(); err != nil {
		return err
	}
	if v := s.variable("RSYNC_MAX_ALLOC"); v != "" && !s.MaxAlloc.Set {
		if err := setMaxAlloc(s, v); err != nil {
			return err
		}
	}
	if v := s.variable("RSYNC_PROTECT_ARGS"); s.Secluded == Unset && v != "" {
		s.Secluded = No
		if leadingNumber(v) != 0 {
			s.Secluded = Yes
		}
	}
	if v := s.variable("RSYNC_OLD_ARGS"); s.OldArgs == 0 && s.Secluded != Yes && v != "" {
		s.OldArgs = leadingNumber(v)
	}
	if s.OldArgs > 0 && s.Secluded == Yes {
		return syntaxError("--secluded-args conflicts with --old-args.")
	}
	return nil
}

// variable gives a variable of the environment, "" if it is not set.
func (s *state) variable(name string) string {
	if s.env == nil {
		return ""
	}
	v, _ := s.env(name)
	return v
}

// leadingNumber reads a number as C's atoi does.
func leadingNumber(v string) int {
	v = strings.TrimLeft(v, " \t\n")
	end := 0
	for end < len(v) && (v[end] >= '0' && v[end] <= '9' || end == 0 && (v[0] == '-' || v[0] == '+')) {
		end++
	}
	n, err := strconv.Atoi(v[:end])
	if err != nil {
		return 0
	}
	return n
}

// Seclude parts a server's arguments: those that travel openly, as a shell or
// a daemon gets them, and with -s the ones that follow through the protocol.
// // options.c:server_options, main.c:do_cmd
func (o *Options) Seclude(args []string) (open, secluded []string) {
	if o.Secluded != Yes {
		return args, nil
	}
	end := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "--") }) + 1
	if end < len(args) && o.Iconv != "" {
		end++ // what the others are converted from
	}
	return args[:end], args[end:]
}

// Secluded reports whether a client's arguments say that more of them follow
// through the protocol.
func Secluded(args []string) bool {
	x := newIndex(server)
	for _, a := range args {
		switch {
		case a == "." || a == "--":
			return false
		case a == "--secluded-args" || a == "--protect-args":
			return true
		case strings.HasPrefix(a, "--") || !strings.HasPrefix(a, "-"):
			continue
		}
		for i := 1; i < len(a); i++ {
			r, ok := x.short[a[i]]
			if a[i] == 's' {
				return true
			}
			if !ok || r.arg != "" {
				break
			}
		}
	}
	return false
}
