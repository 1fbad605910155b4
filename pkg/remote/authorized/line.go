package authorized

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Key is a public key.
type Key struct {
	Type    string // as in "ssh-ed25519"
	Blob    []byte // the key itself (RFC 4253, 6.6)
	Comment string
}

// ParseKey reads the text of a public key file: one key, without options.
func ParseKey(text string) (Key, error) {
	var key Key
	found := false
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if found {
			return Key{}, errors.New("the file has more than one key")
		}
		var ok bool
		if key, ok = parseFields(line); !ok {
			return Key{}, fmt.Errorf("this is no public key: %.60q (give the file that ends in .pub)", line)
		}
		found = true
	}
	if !found {
		return Key{}, errors.New("there is no key in the file")
	}
	return key, nil
}

// parseFields reads "TYPE BLOB COMMENT".
func parseFields(line string) (Key, bool) {
	f := strings.Fields(line)
	if len(f) < 2 {
		return Key{}, false
	}
	blob, err := base64.StdEncoding.DecodeString(f[1])
	if err != nil || len(blob) < 4 {
		return Key{}, false
	}
	n := binary.BigEndian.Uint32(blob)
	if uint64(n) > uint64(len(blob)-4) || string(blob[4:4+n]) != f[0] {
		return Key{}, false
	}
	comment := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.Join(f[2:], " "))
	return Key{f[0], blob, comment}, true
}

// Line gives the line that lets the key run the command, whatever its holder
// asks for, and nothing else. The words are quoted for the user's shell, and all
// of it for sshd.
func Line(key Key, words []string) (string, error) {
	var quoted []string
	for _, w := range words {
		if strings.ContainsAny(w, "\n\r\x00") {
			return "", fmt.Errorf("%q cannot stand in authorized_keys: it has a line break", w)
		}
		quoted = append(quoted, shellWord(w))
	}
	command := strings.ReplaceAll(strings.Join(quoted, " "), `"`, `\"`)
	line := fmt.Sprintf(`restrict,command="%s" %s %s`, command, key.Type, base64.StdEncoding.EncodeToString(key.Blob))
	if key.Comment != "" {
		line += " " + key.Comment
	}
	return line, nil
}

// plain are the letters that mean nothing to a shell.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+,./:@%"

// shellWord quotes a word for a POSIX shell.
func shellWord(w string) string {
	if w != "" && strings.Trim(w, plain) == "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// find returns the number of the line that has the key already, 0 for none.
func find(text []byte, key Key) int {
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if k, ok := parseFields(afterOptions(line)); ok && bytes.Equal(k.Blob, key.Blob) {
			return i + 1
		}
		if k, ok := parseFields(line); ok && bytes.Equal(k.Blob, key.Blob) {
			return i + 1
		}
	}
	return 0
}

// afterOptions cuts the options off that a line begins with: up to the first
// space that is not in quotes.
func afterOptions(line string) string {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case line[i] == '"':
			quoted = !quoted
		case !quoted && (line[i] == ' ' || line[i] == '\t'):
			return strings.TrimLeft(line[i:], " \t")
		}
	}
	return line
}
