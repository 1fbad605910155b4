package compress

import (
	"fmt"
	"math"
	"strings"
)

// Algorithm is a way to compress file data.
type Algorithm uint8

// The algorithms. The zero value sends data as it is.
const (
	None  Algorithm = iota
	Zlib            // deflate, matched blocks enter the history
	Zlibx           // deflate of literal data only
	LZ4             // packets on their own
	Zstd            // one zstd frame for the session
	algorithms
)

// String returns the name that rsync uses.
func (a Algorithm) String() string {
	switch a {
	case None:
		return "none"
	case Zlib:
		return "zlib"
	case Zlibx:
		return "zlibx"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("compression %d", uint8(a))
}

// Parse returns the algorithm of a name, in any case
// (compat.c:get_nni_by_name).
func Parse(name string) (Algorithm, error) {
	if a, ok := byName(name); ok {
		return a, nil
	}
	return None, fmt.Errorf("unknown compress name: %q; known are %s", name, ServerList)
}

func byName(name string) (Algorithm, bool) {
	for a := range algorithms {
		if strings.EqualFold(name, a.String()) {
			return a, true
		}
	}
	return None, false
}

// The lists that rsync 3.5.0 announces, strongest first. A client leaves out
// "none" (compat.c:get_default_nno_list).
//
// rsync before 3.5.0 takes the client's order, 3.5.0 on each side its own. Both
// come to one choice as long as all lists keep this order; leaving names out
// is safe, moving them is not.
const (
	ClientList = "zstd lz4 zlibx zlib"
	ServerList = ClientList + " none"
)

// MaxList is the longest list of names that is accepted from a peer, in bytes
// (compat.c:MAX_NSTR_STRLEN).
const MaxList = 256

// Fallback is what -z means to a peer that does not negotiate.
const Fallback = Zlib

// Negotiate chooses the algorithm of a session from the lists that both sides
// have announced, names separated by spaces: the first name of the client's
// list that the server's list has, too (compat.c:parse_negotiate_str). Names
// that this package does not know are passed over.
func Negotiate(clientList, serverList string) (Algorithm, error) {
	for _, list := range []string{clientList, serverList} {
		if len(list) > MaxList {
			return None, fmt.Errorf("negotiate compression: a list of %d bytes is longer than the %d allowed", len(list), MaxList)
		}
	}
	var offered [algorithms]bool
	for name := range strings.FieldsSeq(serverList) {
		if a, ok := byName(name); ok {
			offered[a] = true
		}
	}
	for name := range strings.FieldsSeq(clientList) {
		if a, ok := byName(name); ok && offered[a] {
			return a, nil
		}
	}
	return None, fmt.Errorf("negotiate compression: the client offers %q, the server %q, and no name is in both; leave out -z or name one with --compress-choice", clientList, serverList)
}

// IsAuto reports whether the value of --compress-choice leaves the choice to
// negotiation: "" or "auto". It asks for no compression by itself.
// // options.c:parse_arguments
func IsAuto(choice string) bool { return choice == "" || strings.EqualFold(choice, "auto") }

// ParseChoice reads the value of --compress-choice (--zc): one name. With
// "auto" or "" it returns auto, and [Negotiate] or [Fallback] decides. A name
// other than "none" switches compression on, "none" switches it off
// (compat.c:parse_compress_choice).
func ParseChoice(choice string) (a Algorithm, auto bool, err error) {
	if IsAuto(choice) {
		return None, true, nil
	}
	if a, err = Parse(choice); err != nil {
		return None, false, fmt.Errorf("--compress-choice=%s: %w", choice, err)
	}
	return a, false, nil
}

// LevelUnset is the level of a session without --compress-level
// (rsync.h:CLVL_NOT_SPECIFIED).
const LevelUnset = math.MinInt32

// Levels that stand for another one.
const (
	zlibDefault = 6
	zstdDefault = 3
	zstdLowest  = -131072 // ZSTD_minCLevel()
	zstdHighest = 22      // ZSTD_maxCLevel()
)

// AtLevel returns what a --compress-level, or [LevelUnset], makes of the
// algorithm: the level in effect, within the algorithm's bounds, and None
// where the level means "off" (token.c:init_compression_level). Both sides of
// a session must ask it, for level 0 of zlib turns the tokens into
// uncompressed ones.
func (a Algorithm) AtLevel(level int) (Algorithm, int) {
	switch a {
	case Zlib, Zlibx:
		switch level {
		case 0:
			return None, 0
		case -1, LevelUnset:
			level = zlibDefault
		}
		return a, min(max(level, 1), 9)
	case Zstd:
		if level == 0 || level == LevelUnset {
			level = zstdDefault
		}
		return a, min(max(level, zstdLowest), zstdHighest)
	}
	return a, 0
}
