// Package logformat makes a line of text of what happens to a file: the
// escapes of rsyncd.conf's "log format", which are those of --out-format, and
// the eleven characters of an itemized change, and the forms that counts take.
//
//	f := logformat.Parse("%o %h [%a] %m (%u) %f %l")
//	line := f.Line(&logformat.Event{Op: logformat.Send, Name: "a/b", Length: 3})
package logformat

import (
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// The values of Event.Op.
const (
	Send    = "send"
	Receive = "recv"
	Delete  = "del."
)

// Event is what a line may tell about.
type Event struct {
	Op            string // Send, Receive or Delete
	Host, Address string // of the other side
	Module, Path  string // the module and its folder
	User          string // who has logged in
	Name          string // the file below the transfer's root, without a final slash
	Long          string // the file below the module or, elsewhere, as it was named
	Entry         filelist.Entry
	Flags         proto.Item
	Link          string             // the file that this is another name of
	Sent, Sums    int64              // bytes of data, and of block sums the other way
	Sum           []byte             // of the whole file, nil if it is not known
	Algorithm     checksum.Algorithm // of Sum
	Sending       bool               // this side sends
	Times         bool               // times are preserved
	OwnerKept     bool               // the entry's owner is one
	GroupKept     bool               // the entry's group is one
	Now           time.Time          // in the zone that is wanted
}

// Format is a parsed "log format". The zero value makes empty lines.
type Format struct{ parts []part }

// part is text, or an escape.
type part struct {
	text   string
	escape byte // 0: text
	width  int
	left   bool // pad on the right
	zeros  bool // pad numbers with zeros
	human  int  // apostrophes
}

// The letters that stand for something, and those that only a daemon knows.
const (
	known   = "%aBbcCfGhilLmMnopPtuU"
	daemons = "ahPu"
)

// maxWidth bounds the width of a field, much as rsync's buffer does.
const maxWidth = 4096

// Parse reads a daemon's format. What is no escape stands for itself.
// // log.c:log_formatted
func Parse(text string) Format { return parse(text, known) }

// ParseLocal is [Parse] for a log that is not a daemon's: there are no modules
// and logins, so what would tell of them stands for itself, %m for nothing.
func ParseLocal(text string) Format {
	return parse(text, strings.Map(func(c rune) rune {
		if strings.ContainsRune(daemons, c) {
			return -1
		}
		return c
	}, known))
}

func parse(text, known string) Format {
	var f Format
	for text != "" {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			break
		}
		p, size := parseEscape(text[i:], known)
		if size == 0 {
			p, size = part{text: "%"}, 1
		}
		f.add(part{text: text[:i]})
		f.add(p)
		text = text[i+size:]
	}
	f.add(part{text: text})
	return f
}

func (f *Format) add(p part) {
	if p.escape != 0 || p.text != "" {
		f.parts = append(f.parts, p)
	}
}

// parseEscape reads an escape from its percent sign on; size is 0 if it is
// none.
func parseEscape(text, known string) (p part, size int) {
	i := 1
	apostrophes := func() {
		for ; i < len(text) && text[i] == '\''; i++ {
			p.human++
		}
	}
	apostrophes()
	if i < len(text) && text[i] == '-' {
		p.left = true
		i++
	}
	digits := i
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	if digits < i {
		p.zeros = text[digits] == '0'
		n, err := strconv.Atoi(text[digits:i])
		if err != nil || n > maxWidth {
			return part{}, 0
		}
		p.width = n
	}
	apostrophes()
	if i == len(text) || strings.IndexByte(known, text[i]) < 0 {
		return part{}, 0
	}
	p.escape = text[i]
	return p, i + 1
}

// Has reports whether the format has one of the escapes with these letters.
func (f Format) Has(letters string) bool {
	for _, p := range f.parts {
		if p.escape != 0 && strings.IndexByte(letters, p.escape) >= 0 {
			return true
		}
	}
	return false
}

// Line makes the line for an event, without a newline at its end. Names stand
// in it as they are: whoever prints it must make control characters harmless.
func (f Format) Line(e *Event) string {
	var b strings.Builder
	for _, p := range f.parts {
		if p.escape == 0 {
			b.WriteString(p.text)
			continue
		}
		p.pad(&b, p.value(e))
	}
	return b.String()
}

func (p part) pad(b *strings.Builder, v string) {
	fill := " "
	if p.zeros && !p.left && strings.IndexByte("pUG", p.escape) >= 0 {
		fill = "0"
	}
	gap := strings.Repeat(fill, max(0, p.width-len(v)))
	if p.left {
		v, gap = gap, v
	}
	b.WriteString(gap)
	b.WriteString(v)
}

// value is what an escape stands for.
func (p part) value(e *Event) string {
	switch p.escape {
	case '%':
		return "%"
	case 'a':
		return e.Address
	case 'h':
		return e.Host
	case 'm':
		return e.Module
	case 'o':
		return e.Op
	case 'P':
		return e.Path
	case 'u':
		return e.User
	case 'f':
		return e.Long
	case 'i':
		if e.Op == Delete {
			return "*deleting  "
		}
		return Itemize(&e.Entry, e.Flags, e.Sending, e.Times)
	case 'L':
		switch {
		case e.Link != "":
			return " => " + e.Link
		case e.Entry.IsLink() && e.Entry.Target() != "":
			return " -> " + e.Entry.Target()
		}
		return ""
	case 'n':
		if e.Entry.IsDir() && !strings.HasSuffix(e.Name, "/") {
			return e.Name + "/"
		}
		return e.Name
	}
	return p.number(e)
}

// number is value for what is counted or measured.
func (p part) number(e *Event) string {
	switch p.escape {
	case 'b':
		return Number(e.Sent, p.human-1)
	case 'c':
		return Number(e.Sums, p.human-1)
	case 'l':
		return Number(e.Entry.Size, p.human-1)
	case 'B':
		return Permissions(e.Entry.Mode)[1:]
	case 'C':
		if e.Sum == nil {
			return strings.Repeat(" ", 2*e.Algorithm.Size())
		}
		return Hex(e.Algorithm, e.Sum)
	case 'M':
		return time.Unix(e.Entry.Mtime, 0).In(e.Now.Location()).Format("2006/01/02-15:04:05")
	case 't':
		return e.Now.Format("2006/01/02 15:04:05")
	case 'p':
		return strconv.Itoa(os.Getpid())
	case 'U':
		if !e.OwnerKept {
			return "0"
		}
		return strconv.FormatUint(uint64(e.Entry.UID), 10)
	}
	if !e.GroupKept {
		return "DEFAULT"
	}
	return strconv.FormatUint(uint64(e.Entry.GID), 10)
}

// Hex writes a checksum in hexadecimal: what is a number with its highest byte
// first. // checksum.c:sum_as_hex
func Hex(a checksum.Algorithm, sum []byte) string {
	if a == checksum.XXH64 || a == checksum.XXH3 || a == checksum.XXH128 {
		sum = slices.Clone(sum)
		slices.Reverse(sum)
	}
	return hex.EncodeToString(sum)
}
