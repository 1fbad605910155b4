package client

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Style is how progress is shown.
type Style uint8

// The styles.
const (
	ProgressOff   Style = iota // a pipe: nothing
	ProgressLive               // a terminal: one line, rewritten
	ProgressPlain              // a dumb terminal: a line now and then
)

// StyleFor chooses the style for an output: isTerminal as the system says,
// term the environment's TERM.
func StyleFor(isTerminal bool, term string) Style {
	switch {
	case !isTerminal:
		return ProgressOff
	case term == "" || term == "dumb" || term == "unknown":
		return ProgressPlain
	}
	return ProgressLive
}

// Progress is a [Printer] that also shows how far a run has come. Lines that
// are printed push the live line down.
type Progress struct {
	*Printer
	Style Style
	Label string           // in front of the line, such as "drive0"
	Width int              // columns of the terminal, 0 for 80
	Now   func() time.Time // nil for the time of day

	mu      sync.Mutex
	start   time.Time
	shown   time.Time
	live    int // columns of the live line on the screen
	index   int
	total   int
	files   int
	done    int64 // bytes of finished files
	current int64 // bytes of the current file
}

// How often progress is shown: a serial line at 4800 baud carries 480
// characters a second.
const (
	liveEvery  = 500 * time.Millisecond
	plainEvery = 15 * time.Second
)

func (p *Progress) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// NewProgress returns a progress display that prints through pr.
func NewProgress(pr *Printer, style Style, label string, width int) *Progress {
	p := &Progress{Printer: pr, Style: style, Label: label, Width: width}
	if style == ProgressLive {
		pr.Out = &aboveLive{p, pr.Out}
		pr.Err = &aboveLive{p, pr.Err}
	}
	return p
}

// aboveLive takes the live line away before something else is printed.
type aboveLive struct {
	p  *Progress
	to io.Writer
}

func (a *aboveLive) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.clear()
	return a.to.Write(b)
}

// out is where the live line goes, past aboveLive.
func (p *Progress) out() io.Writer {
	if a, ok := p.Out.(*aboveLive); ok {
		return a.to
	}
	return p.Out
}

func (p *Progress) clear() {
	if p.live > 0 {
		fmt.Fprintf(p.out(), "\r%s\r", strings.Repeat(" ", p.live))
		p.live = 0
	}
}

// Listed implements transfer.Observer.
func (p *Progress) Listed(n int, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	if done {
		p.total = n
		return
	}
	p.show(fmt.Sprintf("%s  listing files, %s so far", p.Label, logformat.Commas(int64(n))))
}

// Position implements transfer.Positioner.
func (p *Progress) Position(index, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	p.index, p.total = index+1, total
	p.update()
}

// Item implements transfer.Observer.
func (p *Progress) Item(e *filelist.Entry, f proto.Item) {
	p.Printer.Item(e, f)
	if f&proto.ItemTransfer == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	p.files++
	p.done += p.current
	p.current = 0
	p.update()
}

// Data implements transfer.Observer.
func (p *Progress) Data(_ *filelist.Entry, done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = done
	p.update()
}

// End takes the live line away.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *Progress) begin() {
	if p.start.IsZero() {
		p.start = p.now()
		p.shown = p.start
	}
}

func (p *Progress) update() {
	elapsed := p.now().Sub(p.start).Seconds()
	bytes := p.done + p.current
	p.show(fmt.Sprintf("%s  %3d%%  %s of %s files, %s new, %s  %s/s", p.Label, percent(p.index, p.total),
		logformat.Commas(int64(p.index)), logformat.Commas(int64(p.total)), logformat.Commas(int64(p.files)), Size(bytes), Size(int64(float64(bytes)/max(elapsed, 0.5)))))
}

func percent(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return int(int64(part) * 100 / int64(whole))
}

// show prints the line if it is time to.
func (p *Progress) show(text string) {
	now := p.now()
	switch p.Style {
	case ProgressLive:
		if now.Sub(p.shown) < liveEvery {
			return
		}
		width := p.Width
		if width <= 0 {
			width = 80
		}
		if len(text) > width-1 {
			text = text[:width-1]
		}
		pad := max(p.live-len(text), 0)
		fmt.Fprintf(p.out(), "\r%s%s", text, strings.Repeat(" ", pad))
		p.live = len(text)
	case ProgressPlain:
		if now.Sub(p.shown) < plainEvery {
			return
		}
		fmt.Fprintln(p.out(), text)
	default:
		return
	}
	p.shown = now
}

// Size writes a number of bytes for people: 12.3 MB.
func Size(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	f := float64(n)
	i := 0
	for ; f >= 1000 && i < len(units)-1; i++ {
		f /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
