package client

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Printer is an observer that prints what rsync prints for -v, -i and
// --progress: a line an item, a line a deletion, messages. It may be used from
// several goroutines.
type Printer struct {
	Out, Err io.Writer
	Options  *options.Options
	// Sending is set where this side sends to another machine: the direction
	// in itemized lines.
	Sending bool
	// PeerTells is set where the other side reports files that are up to date
	// itself, as a receiving server does.
	PeerTells bool
	// Created and Deletions count what was made and removed.
	Created, Deletions Kinds

	mu     sync.Mutex
	before func() // called with mu held ahead of each line
}

// Listed implements transfer.Observer.
func (p *Printer) Listed(int, bool) {}

// Data implements transfer.Observer.
func (p *Printer) Data(*filelist.Entry, int64) {}

// names reports whether changed files are named.
func (p *Printer) names() bool {
	o := p.Options
	return o.Quiet == 0 && (o.Verbose > 0 || o.Itemize > 0 || o.Progress)
}

// Item prints a line if -v or -i asks for one (log.c:maybe_log_item,
// rsync.c:set_file_attrs).
func (p *Printer) Item(e *filelist.Entry, f proto.Item) { p.item(e, f, "") }

// Linked implements transfer.LinkObserver.
func (p *Printer) Linked(e *filelist.Entry, f proto.Item, to string) {
	p.item(e, f, " => "+Escape(to))
}

func (p *Printer) item(e *filelist.Entry, f proto.Item, link string) {
	significant := f&proto.ItemSignificant != 0
	o := p.Options
	if f&proto.ItemNew != 0 {
		p.mu.Lock()
		p.Created.add(e.Mode)
		p.mu.Unlock()
	}
	shown := f&proto.ItemTransfer != 0 || significant && (f&proto.ItemLocalChange != 0 || e.IsDir())
	switch {
	case !p.names():
	case o.Itemize > 0:
		if significant || o.Verbose > 1 || o.Itemize > 1 {
			p.line(p.Out, logformat.Itemize(e, f, p.Sending, o.Times)+" "+Name(e)+link)
		}
	case shown:
		p.line(p.Out, Name(e)+link)
	case o.Verbose < 2 || e.IsDir() || p.PeerTells:
	case significant:
		p.line(p.Out, Escape(e.Path()))
	default:
		p.line(p.Out, Escape(e.Path())+" is uptodate")
	}
}

// Deleted prints a deletion if -v or -i asks for it (log.c:log_delete).
func (p *Printer) Deleted(path string, mode uint32) {
	p.mu.Lock()
	p.Deletions.add(mode)
	p.mu.Unlock()
	if !p.names() {
		return
	}
	name := Escape(path)
	if mode&filelist.ModeType == filelist.ModeDir {
		name += "/"
	}
	if p.Options.Itemize > 0 {
		p.line(p.Out, "*deleting   "+name)
		return
	}
	p.line(p.Out, "deleting "+name)
}

// Message prints what the peer or this side has to say.
func (p *Printer) Message(tag proto.Tag, text string) {
	to := p.Err
	switch tag {
	case proto.TagInfo, proto.TagClient:
		if p.Options.Quiet > 0 {
			return
		}
		to = p.Out
	case proto.TagLog:
		return
	}
	for l := range strings.SplitSeq(text, "\n") {
		p.line(to, Escape(l))
	}
}

func (p *Printer) line(w io.Writer, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before != nil {
		p.before()
	}
	fmt.Fprintln(w, text)
}

// Name returns an entry's name as a line shows it: a slash after folders, the
// target after links (log.c: %n%L).
func Name(e *filelist.Entry) string {
	n := Escape(e.Path())
	switch {
	case e.IsDir():
		return n + "/"
	case e.IsLink() && e.Target() != "":
		return n + " -> " + Escape(e.Target())
	}
	return n
}

// Escape shows what is not printable as \#ooo, the byte in octal, so that a
// name cannot play with the terminal (log.c:filtered_fwrite).
func Escape(s string) string {
	clean := func(s string) bool {
		for i, r := range s {
			if r == utf8.RuneError || !unicode.IsPrint(r) || isEscape(s[i:]) {
				return false
			}
		}
		return true
	}
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) && r != '\t' || isEscape(s[i:]) {
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, "\\#%03o", c)
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// isEscape reports whether s starts like an escape, and so needs one itself.
func isEscape(s string) bool {
	if len(s) < 5 || s[0] != '\\' || s[1] != '#' {
		return false
	}
	for _, c := range []byte(s[2:5]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Totals returns the two lines with which rsync ends (main.c:output_summary).
func Totals(st transfer.Stats, elapsed time.Duration) string {
	moved := st.Read + st.Written
	rate := float64(moved) / (0.5 + elapsed.Seconds())
	return fmt.Sprintf("sent %s bytes  received %s bytes  %s bytes/sec\ntotal size is %s  speedup is %s",
		Commas(st.Written), Commas(st.Read), commas(rate), Commas(st.TotalSize), commas(Speedup(st)))
}

// Speedup is the size of all files divided by what went over the wire.
func Speedup(st transfer.Stats) float64 {
	return float64(st.TotalSize) / float64(max(st.Read+st.Written, 1))
}

// Commas writes a number with commas between thousands.
func Commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// commas is Commas with two decimals.
func commas(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	whole, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return s
	}
	return Commas(n) + "." + frac
}
