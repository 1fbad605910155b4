package playertest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Tag is one line of a tags file.
type Tag struct{ Name, Value string }

// Tags describe one tune or playlist, in the order of their file. Values are the
// bytes that the file holds: Latin-1 in version 2 players, UTF-8 in version 3.
type Tags []Tag

// maxTagsFile bounds a tags file; real ones have a few hundred bytes.
const maxTagsFile = 64 << 10

// maxValue is the longest value that the database can hold: its length is a byte.
const maxValue = 255

// Get returns the value of name, or "" where there is none.
func (t Tags) Get(name string) string {
	for _, tag := range t {
		if tag.Name == name {
			return tag.Value
		}
	}
	return ""
}

// With returns a copy in which name has value, in its old place or at the end.
func (t Tags) With(name, value string) Tags {
	out := append(make(Tags, 0, len(t)+1), t...)
	for i := range out {
		if out[i].Name == name {
			out[i].Value = value
			return out
		}
	}
	return append(out, Tag{name, value})
}

// AppendTags appends t as a tags file holds it: name=value, a line each, ended by LF.
func AppendTags(b []byte, t Tags) []byte {
	for _, tag := range t {
		b = append(b, tag.Name...)
		b = append(b, '=')
		b = append(b, tag.Value...)
		b = append(b, '\n')
	}
	return b
}

// ParseTags reads a tags file. Of a name that comes twice the later value counts.
// It returns an error for a line without "=", without a name, or without its LF,
// as a file has that was cut short.
func ParseTags(b []byte) (Tags, error) {
	if len(b) > maxTagsFile {
		return nil, fmt.Errorf("tags: %d bytes, more than %d", len(b), maxTagsFile)
	}
	var t Tags
	index := make(map[string]int)
	rest := string(b)
	for line := 1; rest != ""; line++ {
		text, after, ended := strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || !ended {
			return nil, fmt.Errorf("tags: line %d: want name=value and a line end, found %.40q", line, text)
		}
		if i, twice := index[name]; twice {
			t[i].Value = value
		} else {
			index[name] = len(t)
			t = append(t, Tag{name, value})
		}
		rest = after
	}
	return t, nil
}

// stored is t as the database can hold it: values cut to maxValue bytes.
func (t Tags) stored() Tags {
	out := append(Tags(nil), t...)
	for i := range out {
		if len(out[i].Value) > maxValue {
			out[i].Value = out[i].Value[:maxValue]
		}
	}
	return out
}

// latin1 is t with its values turned from UTF-8 into Latin-1, "?" for what that lacks.
func (t Tags) latin1() Tags {
	out := append(Tags(nil), t...)
	for i, tag := range out {
		if !utf8.ValidString(tag.Value) {
			continue
		}
		b := make([]byte, 0, len(tag.Value))
		for _, r := range tag.Value {
			if r > 0xff {
				r = '?'
			}
			b = append(b, byte(r))
		}
		out[i].Value = string(b)
	}
	return out
}
