package session

import (
	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// AuthDigest chooses the digest by which a client proves its password to a
// daemon: the first of the client's list that the daemon's has too or, where
// one of them names none, the one that the version implies.
// // compat.c:negotiate_daemon_auth
func AuthDigest(caps proto.Caps, clientList, daemonList string) (checksum.Algorithm, error) {
	if clientList == "" || daemonList == "" {
		return defaultSum(caps.DefaultSum), nil
	}
	return checksum.NegotiateAuth(clientList, daemonList)
}
