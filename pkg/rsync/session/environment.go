package session

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// EnvironmentLists returns the names to negotiate checksums and compressors with
// that RSYNC_CHECKSUM_LIST and RSYNC_COMPRESS_LIST ask for, "" for the usual ones:
// what stands before a "&" is for clients, what stands behind it for servers.
// Names that are not known are left out; it is an error if none remains
// (compat.c:getenv_nstr, parse_nni_str).
func EnvironmentLists(env func(name string) string, server bool) (sums, compressors string, err error) {
	sums, err = environmentList(env, "RSYNC_CHECKSUM_LIST", server, func(name string) (string, error) {
		a, err := checksum.Parse(name)
		return a.String(), err
	})
	if err != nil {
		return "", "", err
	}
	compressors, err = environmentList(env, "RSYNC_COMPRESS_LIST", server, func(name string) (string, error) {
		a, err := compress.Parse(name)
		return a.String(), err
	})
	return sums, compressors, err
}

func environmentList(env func(string) string, name string, server bool, known func(string) (string, error)) (string, error) {
	text := env(name)
	if client, far, ok := strings.Cut(text, "&"); ok {
		text = client
		if server {
			text = far
		}
	}
	var names []string
	seen := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		if n, err := known(word); err == nil && !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	if len(names) == 0 && strings.TrimSpace(text) != "" {
		return "", proto.Failf(proto.ExitUnsupported, "%s=%q has no name that this program knows", name, text)
	}
	return strings.Join(names, " "), nil
}
