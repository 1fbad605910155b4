package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// hidden is the folder for what is not a cached file.
const hidden = ".cache"

// Limits of a key, in bytes: Linux takes names of 255 and paths of 4096, and a
// folder's own path is in front.
const (
	maxKey  = 2048
	maxName = 255
)

// ErrKey is in the error of every operation with a key that cannot be a file.
var ErrKey = errors.New("not a name for a cached file")

// CheckKey reports why a key cannot be a file's name: keys are relative, in
// slashes, without empty components, and no component begins with a dot, since
// hidden files are nobody's business.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w: a key of %d bytes", ErrKey, len(key))
	}
	for name := range strings.SplitSeq(key, "/") {
		switch {
		case name == "":
			return fmt.Errorf("%w: %q has an empty component", ErrKey, key)
		case name[0] == '.':
			return fmt.Errorf("%w: %q has a component with a leading dot", ErrKey, key)
		case len(name) > maxName:
			return fmt.Errorf("%w: %q... has a component of %d bytes", ErrKey, name[:40], len(name))
		case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return fmt.Errorf("%w: %q has a control character", ErrKey, key)
		}
	}
	return nil
}

// aside is the name of what belongs to a key in a hidden folder of a kind. Keys
// may be longer than a name may be, and one may be another's folder, so it is a
// sum.
func aside(kind, key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:16])
	return hidden + "/" + kind + "/" + name[:2] + "/" + name
}
