package checksum

import (
	"fmt"
	"strings"
)

// Algorithm names one of rsync's strong sums. The zero value is [None].
type Algorithm uint8

// The algorithms, in the order of lib/md-defines.h:CSUM_*. The first three MD4
// forms have no name of their own on the wire: an old protocol implies them.
const (
	// None is the absence of a sum: one zero byte on the wire.
	None Algorithm = iota
	// MD4Archaic is the sum of protocols below 21: computed like [MD4Busted],
	// but cut to two bytes in file lists.
	MD4Archaic
	// MD4Busted is the sum of protocols 21 to 26. It leaves out MD4's padding
	// when the input's length is a multiple of 64, and counts bits modulo 2^32.
	MD4Busted
	// MD4Old is the sum of protocols 27 to 29: correct MD4, the seed hashed
	// before a file's data and after a block's.
	MD4Old
	// MD4 is the sum negotiated as "md4": correct MD4, unseeded over files.
	MD4
	// MD5 is what protocol 30 implies and 31 may negotiate.
	MD5
	// SHA1 may be negotiated from rsync 3.2.7 on.
	SHA1
	// XXH64 is xxHash with 64 bits, negotiated as "xxh64" or "xxhash".
	XXH64
	// XXH3 is XXH3 with 64 bits.
	XXH3
	// XXH128 is XXH3 with 128 bits.
	XXH128
	// SHA256 is only used to prove a password; see [AuthResponse].
	SHA256
	// SHA512 is only used to prove a password; see [AuthResponse].
	SHA512

	algorithms // one past the last
)

// MaxSize is the longest sum of any algorithm, in bytes.
const MaxSize = 64

// Valid reports whether a is one of the constants of this package.
func (a Algorithm) Valid() bool { return a < algorithms }

// Size is the length of the full sum in bytes; 1 for [None], as on the wire,
// and 0 when a is not valid. // checksum.c:csum_len_for_type
func (a Algorithm) Size() int {
	switch a {
	case None:
		return 1
	case MD4Archaic, MD4Busted, MD4Old, MD4, MD5, XXH128:
		return 16
	case XXH64, XXH3:
		return 8
	case SHA1:
		return 20
	case SHA256:
		return 32
	case SHA512:
		return 64
	}
	return 0
}

// FileListSize is the length in bytes of a sum in a file list made with
// --checksum. Only [MD4Archaic] differs from Size: it sends the first 2 bytes.
func (a Algorithm) FileListSize() int {
	if a == MD4Archaic {
		return 2
	}
	return a.Size()
}

// String is rsync's name of the algorithm; every MD4 form is "md4".
func (a Algorithm) String() string {
	switch a {
	case None:
		return "none"
	case MD4Archaic, MD4Busted, MD4Old, MD4:
		return "md4"
	case MD5:
		return "md5"
	case SHA1:
		return "sha1"
	case XXH64:
		return "xxh64"
	case XXH3:
		return "xxh3"
	case XXH128:
		return "xxh128"
	case SHA256:
		return "sha256"
	case SHA512:
		return "sha512"
	}
	return fmt.Sprintf("checksum(%d)", uint8(a))
}

// transferable reports whether a may sum files and blocks by negotiated name.
func (a Algorithm) transferable() bool {
	return a == None || (a >= MD4 && a <= XXH128)
}

// byName finds the algorithm that a wire name means, without regard to case.
func byName(name string) (Algorithm, bool) {
	switch strings.ToLower(name) {
	case "none":
		return None, true
	case "md4":
		return MD4, true
	case "md5":
		return MD5, true
	case "sha1":
		return SHA1, true
	case "xxh64", "xxhash":
		return XXH64, true
	case "xxh3":
		return XXH3, true
	case "xxh128":
		return XXH128, true
	case "sha256":
		return SHA256, true
	case "sha512":
		return SHA512, true
	}
	return None, false
}

// Parse finds the transfer algorithm of a name such as "xxh128". Case does not
// matter; "xxhash" is another name of "xxh64".
func Parse(name string) (Algorithm, error) {
	a, ok := byName(name)
	if !ok || !a.transferable() {
		return None, fmt.Errorf("unknown checksum name %q: choose one of %s", name, ServerList)
	}
	return a, nil
}
