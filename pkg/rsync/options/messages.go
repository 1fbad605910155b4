package options

import (
	"slices"
	"strings"
)

// Stderr says where what this side has to say goes.
type Stderr uint8

// The ways of --stderr: errors to the standard error of whoever shows them, all
// to the standard error of whoever says it, all through the protocol.
const (
	StderrErrors Stderr = iota
	StderrAll
	StderrClient
)

// setStderr takes a mode's name or the beginning of it.
// // options.c:parse_arguments
func setStderr(s *state, arg string) *Error {
	modes := []string{StderrErrors: "errors", StderrAll: "all", StderrClient: "client"}
	i := slices.IndexFunc(modes, func(m string) bool { return arg != "" && strings.HasPrefix(m, arg) })
	if i < 0 {
		return syntaxError("%s--stderr mode \"%s\" is not one of errors, all, or client", s.remote(), arg)
	}
	s.Stderr = Stderr(i)
	return nil
}

func setMessages(m Stderr) action {
	return func(s *state, _ string) *Error { s.Stderr = m; return nil }
}

// stderrWord has the names that older releases know, too.
func stderrWord(o *Options, _ Peer) string {
	return [...]string{StderrErrors: "", StderrAll: "--msgs2stderr", StderrClient: "--no-msgs2stderr"}[o.Stderr]
}
