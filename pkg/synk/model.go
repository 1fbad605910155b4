package synk

import (
	"cmp"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"time"
)

// Localhost is the name of this machine among the peers.
const Localhost = "localhost"

// Time is when a file was changed: seconds since 1970 and, if they are known,
// nanoseconds. A Nsec of 0 means whole seconds: file systems and old versions of
// rsync that cut the rest off leave the same.
type Time struct {
	Sec  int64
	Nsec int32 // 0...999999999
}

// TimeOf converts.
func TimeOf(t time.Time) Time { return Time{t.Unix(), int32(t.Nanosecond())} }

// Std converts.
func (t Time) Std() time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }

// Compare compares at the precision that both have.
func (t Time) Compare(u Time) int {
	if c := cmp.Compare(t.Sec, u.Sec); c != 0 || t.Nsec == 0 || u.Nsec == 0 {
		return c
	}
	return cmp.Compare(t.Nsec, u.Nsec)
}

// total compares as if whole seconds were exact, which orders any times.
func (t Time) total(u Time) int {
	return cmp.Or(cmp.Compare(t.Sec, u.Sec), cmp.Compare(t.Nsec, u.Nsec))
}

// Sum is a file's SHA-512.
type Sum [sha512.Size]byte

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sum) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(s)) {
		return fmt.Errorf("a sha512 of %d digits, want %d", len(text), hex.EncodedLen(len(s)))
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// Kind is what stands under a name.
type Kind string

// The kinds. Other is a device, a pipe or a socket, which is left alone.
const (
	Absent Kind = ""
	File   Kind = "file"
	Dir    Kind = "dir"
	Link   Kind = "link"
	Other  Kind = "other"
)

// Content is what has to be equal for copies to be in sync. The zero value is
// that of a file that is not there.
type Content struct {
	Kind   Kind
	Sum    Sum    // of a file
	Target string // of a symbolic link
}

// Present reports whether there is anything.
func (c Content) Present() bool { return c.Kind != Absent }

// Short is what is shown of a content: seven digits, as git has them, all
// zeros for nothing.
func (c Content) Short() string {
	switch c.Kind {
	case Dir, Link, Other:
		return string(c.Kind)
	}
	return hex.EncodeToString(c.Sum[:4])[:7]
}

// Copy is what one peer has under a name.
type Copy struct {
	Content
	Size         int64 // bytes
	Mtime, Ctime Time
	Mode         uint32 // permission bits, 07777
	Owner, Group string
	// Err says why nothing is known; then nothing else counts.
	Err string
}

// known reports whether the copy can be judged, be it absent.
func (c Copy) known() bool { return c.Err == "" && c.Kind != Other }

// Snapshot is what a survey has found on one peer.
type Snapshot struct {
	Host string
	// Ahead is by how much the peer's clock is ahead of this machine's, as far
	// as it is proven by messages and their answers; negative if behind.
	Ahead time.Duration
	// Root: the peer may give files to anybody.
	Root bool
	// Err, if not nil, says why the peer told nothing.
	Err error
	// Rsync is the command that is rsync there, "" for rsync itself.
	Rsync string
	// Stock: the peer has no synk.
	Stock bool

	// Copies are by the paths that were asked for; with a tree, below it.
	Copies map[string]Copy
	// Top is the tree's own directory.
	Top Copy
}

func (s Snapshot) local() bool { return s.Host == Localhost }
