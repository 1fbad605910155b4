package fill

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// Sums is what a file must be, as somebody trustworthy has it in a list.
type Sums struct {
	Size   int64             // bytes, -1 if the list does not say
	Hex    map[string]string // sums in hexadecimal, by the names that NewSum takes
	Origin string            // the list, for people: "Manifest of app-admin/logrotate"
}

// NewSum returns the hash of a name as Gentoo's Manifests (GLEP 74) and apt's
// indexes spell it, nil if it is unknown or too weak to prove anything.
func NewSum(name string) hash.Hash {
	switch strings.ToUpper(name) {
	case "BLAKE2B":
		h, err := blake2b.New512(nil)
		if err != nil {
			return nil // only keys can be wrong
		}
		return h
	case "SHA512":
		return sha512.New()
	case "SHA256":
		return sha256.New()
	}
	return nil
}

// algorithms are the sums that can be checked, the fastest first: one is enough.
func algorithms() [3]string { return [...]string{"BLAKE2B", "SHA512", "SHA256"} }

// Best is the sum that is checked, as "SHA512 HEX", "" if there is none.
func (s *Sums) Best() string {
	for _, name := range algorithms() {
		if s.Hex[name] != "" {
			return name + " " + strings.ToLower(s.Hex[name])
		}
	}
	return ""
}

// Verify reads n bytes and returns what they prove, for people. The error has
// ErrMismatch in it if they are not what the sums say.
func (s *Sums) Verify(r io.ReaderAt, n int64) (proof string, err error) {
	c := newCheck(s)
	if s.Size >= 0 && s.Size != n { // no need to read it
		c.length = n
		return c.result()
	}
	if err := c.reread(r, n); err != nil {
		return "", fmt.Errorf("verify: %w", err)
	}
	return c.result()
}

// check is a verification under way. A nil check finds nothing wrong.
type check struct {
	sums   *Sums
	name   string
	hash   hash.Hash
	length int64
}

// newCheck returns nil if nothing is known that could be checked.
func newCheck(s *Sums) *check {
	if s == nil {
		return nil
	}
	for _, name := range algorithms() {
		if s.Hex[name] != "" {
			return &check{sums: s, name: name, hash: NewSum(name)}
		}
	}
	if s.Size >= 0 {
		return &check{sums: s}
	}
	return nil
}

func (c *check) Write(p []byte) (int, error) {
	if c != nil {
		c.length += int64(len(p))
		if c.hash != nil {
			c.hash.Write(p)
		}
	}
	return len(p), nil
}

// reread starts anew with what a part holds.
func (c *check) reread(r io.ReaderAt, n int64) error {
	if c == nil {
		return nil
	}
	c.length = 0
	if c.hash != nil {
		c.hash.Reset()
	}
	_, err := io.Copy(c, io.NewSectionReader(r, 0, n))
	return err
}

// result returns what was proved, or what is wrong.
func (c *check) result() (proof string, err error) {
	switch {
	case c == nil:
		return "", nil
	case c.sums.Size >= 0 && c.length != c.sums.Size:
		return "", fmt.Errorf("%w: %d bytes came, the %s says %d", ErrMismatch, c.length, c.sums.Origin, c.sums.Size)
	case c.hash == nil:
		return fmt.Sprintf("size (%s)", c.sums.Origin), nil
	}
	got := hex.EncodeToString(c.hash.Sum(nil))
	if want := strings.ToLower(c.sums.Hex[c.name]); got != want {
		return "", fmt.Errorf("%w: its %s begins with %.16s, the %s says %.16s", ErrMismatch, c.name, got, c.sums.Origin, want)
	}
	return fmt.Sprintf("%s (%s)", c.name, c.sums.Origin), nil
}
