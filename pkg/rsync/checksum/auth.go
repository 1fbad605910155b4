package checksum

import (
	"encoding/base64"
	"io"
)

// AuthList are the digests for daemon passwords that rsync 3.5.0 announces in
// its greeting, best first.
const AuthList = "sha512 sha256 sha1 md5 md4"

// NegotiateAuth chooses the digest that proves a password: the first of the
// client's list that the daemon's greeting names too. Where a greeting has no
// list the protocol implies the digest, and there is nothing to negotiate.
// // compat.c:negotiate_daemon_auth
func NegotiateAuth(clientList, daemonList string) (Algorithm, error) {
	return negotiate("daemon auth digest", clientList, daemonList, func(a Algorithm) bool {
		switch a {
		case SHA512, SHA256, SHA1, MD5, MD4:
			return true
		}
		return false
	})
}

// AuthResponse is what a client answers to a daemon's challenge: the digest of
// the password followed by the challenge, in base64 without padding. The MD4
// forms of protocols below 30 hash a zero seed first, like their file sums.
// // authenticate.c:generate_hash
func AuthResponse(a Algorithm, password, challenge string) string {
	h := a.NewFile(0)
	io.WriteString(h, password)
	io.WriteString(h, challenge)
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil))
}
