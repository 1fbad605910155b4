package known

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxLine bounds a line of a list, in bytes.
const maxLine = 1 << 20

// distfile is a DIST line of a Manifest.
type distfile struct {
	name string
	size int64 // bytes
	alg  int   // the best one that the line has
	sum  string
}

// readManifest calls f for the DIST lines of a Manifest (GLEP 74); others, a
// signature around them, and files without a sum that proves anything are
// passed over.
func readManifest(r io.Reader, f func(distfile)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		if d, ok := parseDist(s.Text()); ok {
			f(d)
		}
	}
	return s.Err()
}

func parseDist(line string) (distfile, bool) {
	w := strings.Fields(line)
	if len(w) < 5 || w[0] != "DIST" {
		return distfile{}, false
	}
	size, err := strconv.ParseInt(w[2], 10, 64)
	name, err2 := unescape(w[1])
	if err != nil || err2 != nil || size < 0 || strings.Contains(name, "/") {
		return distfile{}, false
	}
	d := distfile{name: name, size: size, alg: -1}
	for i := 3; i+1 < len(w); i += 2 {
		if a := algorithm(w[i]); a >= 0 && (d.alg < 0 || a < d.alg) && len(w[i+1]) == 2*algorithms[a].size {
			d.alg, d.sum = a, w[i+1]
		}
	}
	return d, d.alg >= 0
}

// unescape reads a name in which characters may be \xHH, \uHHHH or \UHHHHHHHH
// (GLEP 74, "Path and filename encoding").
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		digits := 0
		if i+1 < len(s) {
			digits = map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i+1]]
		}
		if digits == 0 || i+2+digits > len(s) {
			return "", fmt.Errorf("%q has a wrong escape", s)
		}
		n, err := strconv.ParseUint(s[i+2:i+2+digits], 16, 32)
		if err != nil || n == 0 || n > 0x10ffff {
			return "", fmt.Errorf("%q has a wrong escape", s)
		}
		b.WriteRune(rune(n))
		i += 1 + digits
	}
	return b.String(), nil
}
