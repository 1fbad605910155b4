package conf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Scope says where a parameter belongs.
type Scope uint8

// ScopeGlobal parameters concern the daemon as a whole. ScopeModule ones stand
// in a module, or before it to become the default of the modules that follow.
const (
	ScopeModule Scope = iota
	ScopeGlobal
)

// ParamKind says what values a parameter takes.
type ParamKind uint8

// The kinds, after the types of rsync's daemon-parm.txt. A list is a string
// whose elements stand apart by white space.
const (
	KindString ParamKind = iota
	KindPath
	KindList
	KindBool
	KindTri
	KindInt
	KindEnum
	KindRate
)

// Param is one row of the table of rsyncd.conf's parameters.
type Param struct {
	Name    string // as in rsyncd.conf(5)
	Scope   Scope
	Kind    ParamKind
	Default string // rsync's, "" for none
	// Extension is a parameter of this program's own, which C rsync's daemon
	// logs as unknown and passes over.
	Extension bool

	field  func(*Global, *Module) any // where it is kept; nil: not supported
	advice string                     // what to do instead, else "remove the line"
}

// Supported says whether this program acts on the parameter.
func (p Param) Supported() bool { return p.field != nil }

// store puts value into the field that the table named.
func store(field any, par Param, value string) error {
	switch f := field.(type) {
	case *string:
		if par.Kind == KindPath {
			value = trimSlashes(value)
		}
		*f = value
	case *[]string:
		*f = strings.Fields(value)
	case *bool:
		t, err := parseBool(value)
		if err != nil {
			return err
		}
		*f = t == Yes
	case *Tri:
		if s := fold(value); s == "unset" || s == "-1" {
			*f = Unset
			return nil
		}
		t, err := parseBool(value)
		if err != nil {
			return fmt.Errorf("%w or unset", err)
		}
		*f = t
	case *int:
		n, err := parseInt(value, par.Name == "max connections")
		if err != nil {
			return err
		}
		if par.Name == "port" && n > math.MaxUint16 {
			return fmt.Errorf("%d is no port; ports go from 1 to 65535, 0 stands for 873", n)
		}
		*f = n
	case *int64:
		n, err := parseRate(value)
		if err != nil {
			return err
		}
		*f = n
	default:
		return fmt.Errorf("internal error: cannot keep a %T", field)
	}
	return nil
}

// parseBool reads rsync's spellings. // loadparm.c:set_boolean
func parseBool(value string) (Tri, error) {
	switch fold(value) {
	case "yes", "true", "1":
		return Yes, nil
	case "no", "false", "0":
		return No, nil
	}
	return Unset, fmt.Errorf("%q is not one of yes, no, true, false, 1, 0", value)
}

// parseInt takes whole numbers, from 0 unless signed. rsync reads what is no number as 0 and
// leaves the rest of a line such as "10 minutes" out; here it is a mistake.
func parseInt(value string, signed bool) (int, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(value, "+"), 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is larger than %d", value, math.MaxInt32)
	case err != nil:
		return 0, fmt.Errorf("%q is not a whole number", value)
	case n < 0 && !signed:
		return 0, fmt.Errorf("%s is negative", value)
	}
	return int(n), nil
}

// The units of a rate, as --bwlimit has them.
const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// parseRate reads bytes per second: a number with B, K (which is meant without a
// letter), M or G behind it, such as 1.5M. 0 and nothing stand for no limit.
func parseRate(value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	unit, number := float64(kib), value
	switch value[len(value)-1] | 0x20 {
	case 'b':
		unit, number = 1, value[:len(value)-1]
	case 'k':
		number = value[:len(value)-1]
	case 'm':
		unit, number = mib, value[:len(value)-1]
	case 'g':
		unit, number = gib, value[:len(value)-1]
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.Trim(number, "0123456789.") != "" || n*unit >= 1<<50 {
		return 0, fmt.Errorf("%q is no rate: give a number of KiB per second, or one with B, K, M or G behind it, such as 1.5M", value)
	}
	return int64(n * unit), nil
}

// rateText writes a rate as parseRate reads it.
func rateText(n int64) string {
	switch {
	case n == 0:
		return "0"
	case n%mib == 0:
		return strconv.FormatInt(n/mib, 10) + "M"
	case n%kib == 0:
		return strconv.FormatInt(n/kib, 10) + "K"
	}
	return strconv.FormatInt(n, 10) + "B"
}

// trimSlashes drops trailing slashes, but not the only one.
func trimSlashes(path string) string {
	for len(path) > 1 && strings.HasSuffix(path, "/") {
		path = path[:len(path)-1]
	}
	return path
}

// GIDs splits GID into group names, numbers and "*": at commas and white space
// or, where it begins with a comma, at commas only. // clientserver.c:rsync_module
func (m *Module) GIDs() []string { return splitList(m.GID) }

// Auths splits AuthUsers as GIDs splits GID. // authenticate.c:auth_server
func (m *Module) Auths() []string { return splitList(m.AuthUsers) }

// Hosts splits one of the lists of hosts into its patterns, in lower case:
// at commas and white space. // access.c:access_match
func Hosts(list string) []string {
	return strings.FieldsFunc(strings.ToLower(list), func(r rune) bool { return r == ',' || isSpace(r) })
}

// splitList splits a list at commas and white space or, where it begins with a
// comma, at commas only, so that names may hold spaces. // loadparm.c:conf_strtok
func splitList(list string) []string {
	var tokens, words []string
	if strings.HasPrefix(list, ",") {
		tokens = strings.Split(list, ",")
	} else {
		tokens = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || isSpace(r) })
	}
	for _, t := range tokens {
		if t = strings.Trim(t, space); t != "" {
			words = append(words, t)
		}
	}
	return words
}

// suggestion names the known parameter nearest to an unknown one, as
// ` (did you mean "read only"?)`, or nothing when none is near.
func suggestion(name string) string {
	folded := fold(name)
	if len(folded) > 64 {
		return ""
	}
	best, bestDistance := "", 1+len(folded)/4 // one slip in four letters
	if len(folded) > 2 {
		bestDistance++
	}
	for _, p := range Params() {
		if d := distance(folded, fold(p.Name)); d < bestDistance {
			best, bestDistance = p.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b out of a.
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			change := prev[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			cur[j] = min(change, prev[j]+1, cur[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
