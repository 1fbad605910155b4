package client

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
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

	// Log, if not nil, gets the lines of --log-file, without their beginning.
	Log func(line string)

	about  transfer.Describer // its Options are those above
	mu     sync.Mutex
	before func() // called with mu held ahead of each line
}

// Agreed notes what both sides speak, before the first line about a file.
func (p *Printer) Agreed(a session.Agreed) {
	p.about.FileSum, p.about.ListSum, p.about.Seeded = a.FileSum, a.ListSum, !a.Caps.VarInts
	p.about.LinksUntimed = !a.Caps.SymlinkTimes
}

// Sources implements transfer.SourcesObserver.
func (p *Printer) Sources(sources []transfer.Source) { p.about.Sources(sources) }

// describe gives what makes the events that lines tell of.
func (p *Printer) describe() *transfer.Describer {
	about := p.about
	about.Options = p.Options
	return &about
}

// text writes an event in a format, names as they are. There are no modules here.
func (p *Printer) text(format string, ev *logformat.Event) string {
	ev.Sending = p.Sending // a local copy has files on this side and sends nothing
	return logformat.ParseLocal(format).Line(ev)
}

// Listed implements transfer.Observer.
func (p *Printer) Listed(int, bool) {}

// Data implements transfer.Observer.
func (p *Printer) Data(*filelist.Entry, int64) {}

// Item prints and logs a line if one is asked for (log.c:maybe_log_item,
// rsync.c:set_file_attrs).
func (p *Printer) Item(e *filelist.Entry, f proto.Item) { p.item(e, f, "") }

// Linked implements transfer.LinkObserver.
func (p *Printer) Linked(e *filelist.Entry, f proto.Item, to string) { p.item(e, f, to) }

func (p *Printer) item(e *filelist.Entry, f proto.Item, link string) {
	if f&proto.ItemNew != 0 {
		p.mu.Lock()
		p.Created.add(e.Mode)
		p.mu.Unlock()
	}
	ev := p.describe().Event(e, f)
	ev.Link = link
	significant := f&proto.ItemSignificant != 0
	o := p.Options
	transferred := f&proto.ItemTransfer != 0
	shown := transferred || link != "" || significant && (f&proto.ItemLocalChange != 0 || e.IsDir())
	if has := o.Itemizes(); has > 0 && !shown {
		shown = significant || has > 1 || o.Info(options.InfoName) > 1
	}
	format := o.Format()
	switch {
	case !shown:
		p.unchanged(e, significant)
	case transferred && options.Late(format) && o.MovesData():
		if o.Info(options.InfoName) > 0 && o.Info(options.InfoProgress) == 1 {
			p.show(p.name(e))
		}
	case format != "":
		p.show(p.text(format, ev))
	}
	if shown && !transferred && (significant || options.FormatHas(p.logFormat(), 'i')) {
		p.log(p.text(p.logFormat(), ev))
	}
}

// unchanged names a file that is up to date under -vv.
func (p *Printer) unchanged(e *filelist.Entry, significant bool) {
	switch {
	case p.Options.Info(options.InfoName) < 2 || e.IsDir() || p.PeerTells:
	case significant:
		p.show(e.Path())
	default:
		p.show(e.Path() + " is uptodate")
	}
}

// Passed implements transfer.FileObserver.
func (p *Printer) Passed(e *filelist.Entry, f proto.Item, m transfer.Passage) {
	ev := p.describe().Passed(e, f, m)
	if format := p.Options.Format(); options.Late(format) && p.Options.MovesData() {
		p.show(p.text(format, ev))
	}
	if p.Options.MovesData() {
		p.log(p.text(p.logFormat(), ev))
	}
}

// logFormat is how changes are logged (options.c:parse_arguments).
func (p *Printer) logFormat() string {
	if p.Options.LogFileFormat == "" {
		return server.DefaultLogFormat
	}
	return p.Options.LogFileFormat
}

// Deleted prints and logs a deletion if that is asked for (log.c:log_delete).
func (p *Printer) Deleted(path string, mode uint32) {
	p.mu.Lock()
	p.Deletions.add(mode)
	p.mu.Unlock()
	ev := p.describe().Deleted(path, mode)
	how := func(format string) string {
		if options.FormatHas(format, 'i') || options.FormatHas(format, 'o') {
			return p.text(format, ev)
		}
		return p.text("deleting %n", ev)
	}
	if format := p.Options.Format(); format != "" || p.Options.Info(options.InfoDel) > 0 {
		p.show(how(format))
	}
	if p.Options.MovesData() {
		p.log(how(p.logFormat()))
	}
}

// show prints a line on the standard output, names made safe, unless under -q.
func (p *Printer) show(text string) {
	if p.Options.Quiet == 0 {
		p.line(p.Out, p.Safe(text))
	}
}

// log adds a line to the log file.
func (p *Printer) log(text string) {
	if p.Log != nil {
		p.Log(p.Safe(text))
	}
}

// Safe makes what is not printable visible; with -8 only control characters.
func (p *Printer) Safe(text string) string {
	if p.Options.EightBit {
		return logformat.EscapeControls(text)
	}
	return logformat.Escape(text)
}

// name is how an entry is named where no format says.
func (p *Printer) name(e *filelist.Entry) string {
	if e.IsDir() {
		return e.Path() + "/"
	}
	return e.Path()
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
		p.line(to, p.Safe(l))
		if tag != proto.TagClient {
			p.log(l)
		}
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

// Totals returns the two lines with which rsync ends (main.c:output_summary).
func Totals(st transfer.Stats, elapsed time.Duration) string {
	moved := st.Read + st.Written
	rate := float64(moved) / (0.5 + elapsed.Seconds())
	return fmt.Sprintf("sent %s bytes  received %s bytes  %s bytes/sec\ntotal size is %s  speedup is %s",
		logformat.Commas(st.Written), logformat.Commas(st.Read), logformat.Decimal(rate, 0), logformat.Commas(st.TotalSize), logformat.Decimal(Speedup(st), 0))
}

// Speedup is the size of all files divided by what went over the wire.
func Speedup(st transfer.Stats) float64 {
	return float64(st.TotalSize) / float64(max(st.Read+st.Written, 1))
}
