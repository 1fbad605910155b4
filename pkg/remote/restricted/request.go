package restricted

import (
	"errors"
	"fmt"
	"path"
	"slices"
)

// Request is what a client has asked for.
type Request struct {
	// Words are the server's arguments, "--server" first.
	Words []Word
	// Probe is set for the command "true", which only tells that the key works.
	Probe bool
}

// Parse reads the command that sshd has been asked for, the value of
// SSH_ORIGINAL_COMMAND.
func Parse(command string) (*Request, error) {
	if command == "" {
		return nil, errors.New("there is no command to look at: this runs as the forced command of an ssh key (SSH_ORIGINAL_COMMAND is empty)")
	}
	words, err := Split(command)
	if err != nil {
		return nil, err
	}
	if len(words) == 1 && words[0].Text == "true" {
		return &Request{Probe: true}, nil
	}
	rest := afterProgram(words)
	switch {
	case rest == nil:
		return nil, fmt.Errorf("this key is for rsync alone, not for %q", shorten(command))
	case len(rest) == 0 || rest[0].Text != "--server":
		return nil, errors.New("this key is for the other end of an rsync (rsync --server), not for rsync's own command lines")
	case slices.ContainsFunc(rest, func(w Word) bool { return w.Text == "--daemon" }):
		return nil, errors.New("this key gives paths (host:path), not modules (host::module)")
	}
	return &Request{Words: rest}, nil
}

// afterProgram returns what follows the name of an rsync, nil if there is none.
func afterProgram(words []Word) []Word {
	if len(words) == 0 {
		return nil
	}
	switch path.Base(words[0].Text) {
	case "rsync":
		return words[1:]
	case "empegsync":
		if len(words) > 1 && words[1].Text == "rsync" {
			return words[2:]
		}
	}
	return nil
}

// texts returns the words without their quotes.
func texts(words []Word) []string {
	var all []string
	for _, w := range words {
		all = append(all, w.Text)
	}
	return all
}

// shorten keeps what a message quotes to a line.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
