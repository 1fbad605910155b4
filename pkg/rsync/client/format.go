package client

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// record is what one line of --out-format or --log-file-format is about.
type record struct {
	entry   *filelist.Entry
	flags   proto.Item
	link    string // what a hard link is another name of
	deleted bool
	moved   transfer.Passage
	now     time.Time
}

// format writes a record as --out-format and --log-file-format say. Escapes that
// mean nothing here stay as they are (log.c:log_formatted).
func (p *Printer) format(format string, r *record) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(format, "%")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		width, human, letter, after := cutEscape(rest)
		text, known := "", false
		if letter != 0 {
			text, known = p.escape(letter, human, r)
		}
		if known {
			b.WriteString(pad(text, width))
		} else {
			b.WriteString("%" + rest[:len(rest)-len(after)])
		}
		format = after
	}
}

// cutEscape reads what follows a percent sign: a width, negative to pad on the
// right, and how far numbers are made readable; letter is 0 at the end.
func cutEscape(s string) (width, human int, letter byte, rest string) {
	quotes := func() {
		for s != "" && s[0] == '\'' {
			s = s[1:]
			human++
		}
	}
	quotes()
	digits := s
	s = strings.TrimLeft(strings.TrimPrefix(s, "-"), "0123456789")
	width, err := strconv.Atoi(digits[:len(digits)-len(s)])
	if err != nil || width > maxWidth || width < -maxWidth {
		width = 0
	}
	quotes()
	if s == "" {
		return width, human, 0, ""
	}
	return width, human, s[0], s[1:]
}

// maxWidth bounds the width of a field.
const maxWidth = 4096

func pad(text string, width int) string { return fmt.Sprintf("%*s", width, text) }

// escape gives what a letter stands for; false if that is nothing on a client.
func (p *Printer) escape(letter byte, human int, r *record) (string, bool) {
	e, n := r.entry, func(v int64) string { return Number(v, human-1) }
	const day, clock = "2006/01/02", "15:04:05"
	switch letter {
	case '%':
		return "%", true
	case 'b':
		return n(map[bool]int64{true: r.moved.Written, false: r.moved.Read}[p.here()]), true
	case 'c':
		return n(map[bool]int64{true: r.moved.Read, false: r.moved.Written}[p.here()]), true
	case 'B':
		return logformat.Permissions(e.Mode)[1:], true
	case 'C':
		return p.sum(r), true
	case 'f':
		return p.fullName(r), true
	case 'G':
		if !p.Options.Group {
			return "DEFAULT", true
		}
		return strconv.FormatUint(uint64(e.GID), 10), true
	case 'U':
		if !p.Options.Owner {
			return "0", true
		}
		return strconv.FormatUint(uint64(e.UID), 10), true
	case 'i':
		if r.deleted {
			return "*deleting  ", true
		}
		return logformat.Itemize(e, r.flags, p.Sending, p.Options.Times), true
	case 'l':
		return n(e.Size), true
	case 'L':
		return p.linkText(r), true
	case 'm':
		return "", true // modules are a daemon's
	case 'M':
		return time.Unix(e.Mtime, 0).In(r.now.Location()).Format(day + "-" + clock), true
	case 'n':
		name := e.Path()
		if e.IsDir() {
			name += "/"
		}
		return name, true
	case 'o':
		return p.operation(r), true
	case 'p':
		return strconv.Itoa(os.Getpid()), true
	case 't':
		return r.now.Format(day + " " + clock), true
	}
	return "", false
}

// here reports whether the files are on this side.
func (p *Printer) here() bool { return p.Sending || p.Prefix != nil }

func (p *Printer) operation(r *record) string {
	switch {
	case r.deleted:
		return "del."
	case p.here():
		return "send"
	}
	return "recv"
}

func (p *Printer) linkText(r *record) string {
	switch {
	case r.link != "":
		return " => " + r.link
	case r.entry.IsLink() && r.entry.Target() != "":
		return " -> " + r.entry.Target()
	}
	return ""
}

// fullName is a file's name with the place that it is sent from.
func (p *Printer) fullName(r *record) string {
	name := r.entry.Path()
	if p.Prefix != nil && !r.deleted {
		if dir := p.Prefix(r.entry); dir != "" && name == "." {
			name = dir + "/."
		} else {
			name = path.Join(dir, name)
		}
	}
	return strings.TrimPrefix(name, "/")
}

// sum is a file's checksum in hexadecimal, or as many spaces
// (checksum.c:sum_as_hex).
func (p *Printer) sum(r *record) string {
	algorithm, sum := p.FileSum, r.moved.Sum
	if p.Options.Checksum {
		algorithm, sum = p.ListSum, []byte(r.entry.Sum())
	}
	if len(sum) == 0 || !r.entry.IsRegular() || r.deleted {
		return strings.Repeat(" ", 2*algorithm.Size())
	}
	return logformat.Hex(algorithm, sum)
}
