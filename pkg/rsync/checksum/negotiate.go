package checksum

import (
	"fmt"
	"strings"
)

// The lists that rsync 3.5.0 announces, most wanted first. A client leaves out
// "none", so that a sum is only dropped where its user asked for that.
// // compat.c:get_default_nno_list
const (
	ClientList = "xxh128 xxh3 xxh64 md5 md4 sha1"
	ServerList = ClientList + " none"
)

// MaxList is the longest list of names that is accepted from a peer, in bytes.
// // rsync.h:MAX_NSTR_STRLEN
const MaxList = 256

// Negotiate chooses the sum of a session from the lists that both sides have
// announced, names separated by spaces: the first name of the client's list
// that the server's list has too. Names that this package does not know are
// passed over, so that newer peers may announce more. Both sides come to the
// same choice on their own. // compat.c:parse_negotiate_str
func Negotiate(clientList, serverList string) (Algorithm, error) {
	return negotiate("checksum", clientList, serverList, Algorithm.transferable)
}

// negotiate is Negotiate over the algorithms that usable accepts; what names
// the thing negotiated in errors.
func negotiate(what, clientList, serverList string, usable func(Algorithm) bool) (Algorithm, error) {
	for _, list := range []string{clientList, serverList} {
		if len(list) > MaxList {
			return None, fmt.Errorf("negotiate %s: a list of %d bytes is longer than the %d allowed", what, len(list), MaxList)
		}
	}
	var offered [algorithms]bool
	for name := range strings.FieldsSeq(serverList) {
		if a, ok := byName(name); ok && usable(a) {
			offered[a] = true
		}
	}
	for name := range strings.FieldsSeq(clientList) {
		if a, ok := byName(name); ok && offered[a] {
			return a, nil
		}
	}
	return None, fmt.Errorf("negotiate %s: the client offers %q, the server %q, and no name is in both", what, clientList, serverList)
}

// Choice is what --checksum-choice asks for.
type Choice struct {
	// Transfer sums blocks and transferred files. With None, files are sent
	// whole and arrive unchecked.
	Transfer Algorithm
	// File sums the files of a list made with --checksum. None is refused
	// together with --checksum by CheckFile.
	File Algorithm
}

// IsAuto reports whether the value of --checksum-choice leaves the choice to
// negotiation: "", "auto" or "auto,auto". // options.c:parse_arguments
func IsAuto(choice string) bool {
	return choice == "" || strings.EqualFold(choice, "auto") || strings.EqualFold(choice, "auto,auto")
}

// ParseChoice reads the value of --checksum-choice: one name for both uses, or
// two with a comma between, the transfer's first. "auto" stands for the given
// algorithm, the one that the protocol implies without negotiation; where
// [IsAuto] holds, a session that can negotiate does so instead.
// // checksum.c:parse_checksum_choice
func ParseChoice(choice string, auto Algorithm) (Choice, error) {
	parse := func(name string) (Algorithm, error) {
		if strings.EqualFold(name, "auto") {
			return auto, nil
		}
		return Parse(name)
	}
	first, second, two := strings.Cut(choice, ",")
	transfer, err := parse(first)
	if err != nil {
		return Choice{}, fmt.Errorf("--checksum-choice=%s: %w", choice, err)
	}
	if !two {
		return Choice{Transfer: transfer, File: transfer}, nil
	}
	file, err := parse(second)
	if err != nil {
		return Choice{}, fmt.Errorf("--checksum-choice=%s: %w", choice, err)
	}
	return Choice{Transfer: transfer, File: file}, nil
}

// CheckFile refuses a choice that --checksum cannot work with.
func (c Choice) CheckFile() error {
	if c.File == None {
		return fmt.Errorf("--checksum needs a sum to compare files by: choose another than %q in --checksum-choice", None)
	}
	return nil
}
