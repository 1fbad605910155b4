package proto

import "fmt"

// Versions that this implementation speaks, and the range within which a
// number read from a peer is a version at all (rsync.h: MIN_PROTOCOL_VERSION,
// PROTOCOL_VERSION, MAX_PROTOCOL_VERSION).
const (
	MinVersion = 20
	MaxVersion = 32

	// plausibleMax is the largest number that C rsync takes for a version;
	// beyond it the bytes are something else, such as a login message.
	plausibleMax = 40
)

// Agree returns the version that two sides speak: the lower of the two. ours
// may be lowered by the user (--protocol). It is an error if either lies
// outside what can be spoken.
func Agree(ours, theirs int) (int, error) {
	if err := CheckOwn(ours); err != nil {
		return 0, err
	}
	if theirs < MinVersion || theirs > plausibleMax {
		return 0, fmt.Errorf("protocol version mismatch: the peer says %d, this side speaks %d to %d -- is your shell clean?",
			theirs, MinVersion, MaxVersion)
	}
	return min(ours, theirs), nil
}

// CheckOwn reports whether v can be announced, as --protocol asks for it.
func CheckOwn(v int) error {
	if v < MinVersion || v > MaxVersion {
		return fmt.Errorf("--protocol must be %d to %d, not %d", MinVersion, MaxVersion, v)
	}
	return nil
}

// Announce returns the version to tell a peer that has already shown its own.
// Releases up to 2.5.7 refuse whoever announces more than 30, so a peer that
// is older than that hears no more than it speaks itself.
func Announce(ours, theirs int) int {
	if theirs < 30 {
		return max(min(ours, theirs), MinVersion)
	}
	return ours
}

// NamesDigests reports whether a greeting of this version must name the
// authentication digests (clientserver.c:exchange_protocols refuses one of 32
// and later without them).
func NamesDigests(v int) bool { return v >= 32 }

// HasSubVersion reports whether a greeting of this version carries a
// sub-version after a dot (clientserver.c:exchange_protocols).
func HasSubVersion(v int) bool { return v >= 30 }

// BatchFlags returns how many options have a bit in the batch files of a version
// (batch.c:check_batch_flags).
func BatchFlags(version int) int {
	switch {
	case version < 29:
		return 7
	case version < 30:
		return 9
	}
	return 15
}
