package boot

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// defaultName is the host name when nobody has given one.
const defaultName = "empeg"

// Limits of a host name: the kernel's (__NEW_UTS_LEN), and of one label the
// DNS's (RFC 1035, 2.3.4).
const (
	hostnameLimit = 64
	labelLimit    = 63
)

// ValidateHostname tells what is wrong with a host name that a person has
// configured: labels of letters, digits and inner hyphens, parted by dots.
func ValidateHostname(name string) error {
	switch {
	case len(name) > hostnameLimit:
		return fmt.Errorf("hostname %q is longer than %d characters", name, hostnameLimit)
	case isPlaceholder(name):
		return fmt.Errorf("hostname %q names no machine; choose another", name)
	case looksNumeric(name):
		return fmt.Errorf("hostname %q would be taken for an address; begin it with a letter", name)
	}
	label := regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?$`)
	for part := range strings.SplitSeq(name, ".") {
		if len(part) > labelLimit || !label.MatchString(part) {
			return fmt.Errorf("hostname %q is not valid: use letters, digits and inner hyphens, at most %d of them", name, labelLimit)
		}
	}
	return nil
}

// HostnameFrom makes a host name of a player's name, which is free text such as
// "Mike's empeg": here "mikes-empeg". It is one label in lower case; accents
// and apostrophes go, everything else that is neither letter nor digit becomes
// a hyphen. The result is "" if nothing useful is left.
func HostnameFrom(playerName string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(playerName) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '\'', r == '’', r == '`', r == '´':
		case plainLetter(r) != "":
			b.WriteString(plainLetter(r))
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() > labelLimit {
			break
		}
	}
	name := strings.Trim(b.String()[:min(b.Len(), labelLimit)], "-")
	switch {
	case name == "" || isPlaceholder(name):
		return ""
	case looksNumeric(name):
		return defaultName + "-" + name[:min(len(name), labelLimit-len(defaultName)-1)]
	}
	return name
}

// plainLetter strips the accent of a lower-case Latin-1 letter; "" if r is none.
func plainLetter(r rune) string {
	for _, set := range []string{"aàáâãäå", "cç", "eèéêë", "iìíîï", "nñ", "oòóôõöø", "uùúûü", "yýÿ", "dð"} {
		if strings.ContainsRune(set[1:], r) {
			return set[:1]
		}
	}
	switch r {
	case 'æ':
		return "ae"
	case 'ß':
		return "ss"
	case 'þ':
		return "th"
	}
	return ""
}

// chooseName decides on the host name: the configured one, else the player's,
// else the one that is set, else the default.
func chooseName(o Observed, d Desired) (string, error) {
	if d.Hostname != "" {
		return d.Hostname, ValidateHostname(d.Hostname)
	}
	if name := HostnameFrom(o.PlayerName); name != "" {
		return name, nil
	}
	if o.System != nil && !isPlaceholder(o.System.Hostname) && !strings.ContainsAny(o.System.Hostname, " \t\r\n\v\f#") {
		return o.System.Hostname, nil
	}
	return defaultName, nil
}

// isPlaceholder reports whether a host name says nothing about the machine.
func isPlaceholder(name string) bool {
	switch strings.ToLower(name) {
	case "", "(none)", "localhost", "localhost.localdomain":
		return true
	}
	return false
}

// looksNumeric reports whether the C library's inet_aton would take the name for
// an address: "10" is 0.0.0.10 to it.
func looksNumeric(name string) bool {
	return regexp.MustCompile(`^(0x[0-9a-fA-F]*|[0-9]+)(\.(0x[0-9a-fA-F]*|[0-9]+))*$`).MatchString(name)
}

// ParsePlayerName returns the value of name= in the section [Options] of a
// player's config.ini, "" if there is none. Upper and lower case count alike.
// The first player software wrote Latin-1, the later UTF-8; the result is UTF-8.
func ParsePlayerName(config []byte) string {
	section := ""
	text := strings.TrimPrefix(string(config), "\ufeff")
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section, _, _ = strings.Cut(line[1:], "]")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(section), "options") || !strings.EqualFold(strings.TrimSpace(key), "name") {
			continue
		}
		if value = strings.TrimSpace(value); value != "" {
			return toUTF8(value)
		}
	}
	return ""
}

// toUTF8 takes what is not valid UTF-8 for Latin-1.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
