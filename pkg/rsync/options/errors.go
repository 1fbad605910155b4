package options

import "fmt"

// Kind is the sort of an Error.
type Kind uint8

// The kinds, with rsync's exit code for each.
const (
	Syntax      Kind = iota // 1: unknown option, bad value, contradiction
	Unsupported             // 4: known to rsync, but not done by this program yet
	Refused                 // 4: forbidden by the module's "refuse options"
)

// Error is what is wrong with a list of arguments.
type Error struct {
	Kind   Kind
	Option string // for people, e.g. "--compress (-z)"; "" if none is meant
	Text   string // one line, ready to be shown or sent to the client
}

// Error gives the text.
func (e *Error) Error() string { return e.Text }

// ExitCode gives rsync's exit code for the error. // errcode.h
func (e *Error) ExitCode() int {
	if e.Kind == Syntax {
		return 1
	}
	return 4
}

func syntaxError(format string, args ...any) *Error {
	return &Error{Kind: Syntax, Text: fmt.Sprintf(format, args...)}
}

func unsupportedError(name, why string) *Error {
	if why != "" {
		why = " (" + why + ")"
	}
	return &Error{Kind: Unsupported, Option: name, Text: name + " is not supported" + why + "; leave it out"}
}

// refusedError has rsync's words, which scripts look for.
// // options.c:create_refuse_error
func refusedError(name string) *Error {
	return &Error{Kind: Refused, Option: name, Text: "The server is configured to refuse " + name}
}
