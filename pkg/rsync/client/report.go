package client

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Report is a [Printer] that also prints what frames a run of rsync: how the
// list comes along, and with --progress how each file does. It ends with a
// [Summary].
type Report struct {
	Printer
	// Heading says what happens to the list: "building file list" where this
	// side makes it, "receiving file list" where it comes from elsewhere.
	Heading string
	// Building is set where this side makes the list.
	Building bool
	// Incremental is set, before [Report.Begin], if the list comes in parts.
	Incremental bool
	Now         func() time.Time // nil for the time of day

	heading  bool // the line of the heading is open
	last     filelist.Entry
	moving   bool // progress of last is being shown
	began    time.Time
	shown    time.Time
	done     int64
	transfer int // files so far
	index    int // of last
	// of the whole run, for --info=progress2
	first     time.Time
	sum, size int64 // bytes of finished files, of all files
	open      bool  // a line of progress stands open
	total     int
	whole     bool // total counts them all
}

func (r *Report) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// headed reports whether the list's making is shown (flist.c:show_filelist_progress).
func (r *Report) headed() bool {
	o := r.Options
	return o.Quiet == 0 && o.Info(options.InfoFlist) > 0 && o.TransferDirs()
}

// counts reports whether the list's entries are counted while they come.
func (r *Report) counts() bool { return r.Options.Info(options.InfoFlist) > 1 }

// Begin prints the heading, once there is a connection (flist.c:start_filelist_progress).
func (r *Report) Begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = r.close
	r.log(r.Heading)
	if !r.headed() {
		return
	}
	if r.Incremental {
		doing := "receiving"
		if r.Building {
			doing = "sending"
		}
		fmt.Fprintln(r.Out, doing+" incremental file list")
		return
	}
	r.heading = true
	fmt.Fprint(r.Out, r.Heading+" ... ")
	if r.counts() && r.Building {
		fmt.Fprint(r.Out, "\n 0 files...\r")
	}
}

// Listed implements transfer.Observer (flist.c:finish_filelist_progress).
func (r *Report) Listed(n int, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !done {
		if r.heading && r.counts() {
			fmt.Fprintf(r.Out, " %d files...\r", n)
		}
		return
	}
	r.total, r.whole = n, true
	if !r.heading {
		return
	}
	r.heading = false
	switch {
	case !r.counts():
		fmt.Fprintln(r.Out, "done")
		r.log("done")
	case n == 1:
		fmt.Fprintln(r.Out, "1 file to consider")
	default:
		fmt.Fprintf(r.Out, "%d files to consider\n", n)
	}
}

// Position implements transfer.Positioner.
func (r *Report) Position(index, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finish()
	r.index, r.total = index, total
}

// Item implements transfer.Observer.
func (r *Report) Item(e *filelist.Entry, f proto.Item) {
	r.Printer.Item(e, f)
	if f&proto.ItemTransfer == 0 || r.Options.Info(options.InfoProgress) == 0 || r.Options.Quiet > 0 || !r.Options.MovesData() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.transfer++
	r.last, r.moving, r.done = *e, true, 0
	r.began = r.now()
	if r.first.IsZero() {
		r.first = r.began
	}
	if !r.overall() {
		r.shown = time.Time{}
	}
	if !r.Building && e.Size > 0 {
		r.progress(0)
	}
}

// Data implements transfer.Observer.
func (r *Report) Data(_ *filelist.Entry, done int64) {
	if r.Options.Info(options.InfoProgress) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moving {
		r.progress(done)
	}
}

// progressEvery is how often a file's progress is shown (progress.c:show_progress).
const progressEvery = time.Second

// progress shows how far a file, or the whole of a run, has come.
func (r *Report) progress(done int64) {
	r.done = done
	now := r.now()
	size, since := r.last.Size, r.began
	if r.overall() {
		done, size, since = r.sum+done, r.size, r.first
	}
	if !r.shown.IsZero() && now.Sub(r.shown) < progressEvery {
		return
	}
	rate, remain := 0.0, "   0:00:00"
	if !r.shown.IsZero() {
		rate = speed(done, now.Sub(since))
		remain = "  ??:??:??"
		if rate > 0 {
			remain = clock(time.Duration(float64(size-done) / 1024 / rate * float64(time.Second)))
		}
	}
	r.shown = now
	r.open = r.overall()
	fmt.Fprint(r.Out, r.progressLine(done, size, rate, remain), "  ")
}

// overall reports whether it is the whole of a run whose progress is shown.
func (r *Report) overall() bool { return r.Options.Info(options.InfoProgress) > 1 }

// Total implements transfer.Totaler.
func (r *Report) Total(size int64) {
	r.mu.Lock()
	r.size = size
	r.mu.Unlock()
}

func (r *Report) progressLine(done, size int64, rate float64, remain string) string {
	percent := 100
	if size > 0 && done < size {
		percent = int(float64(done) * 100 / float64(size))
	}
	unit := "kB/s"
	switch {
	case rate > 1024*1024:
		rate, unit = rate/1024/1024, "GB/s"
	case rate > 1024:
		rate, unit = rate/1024, "MB/s"
	}
	if size > 0 && done == 0 {
		percent = 0
	}
	return fmt.Sprintf("\r%15s %3d%% %7.2f%s %s", logformat.Number(done, r.Options.HumanReadable), percent, rate, unit, remain)
}

// speed gives kilobytes of 1024 a second.
func speed(done int64, d time.Duration) float64 {
	ms := max(d.Milliseconds(), 1)
	return float64(done) * 1000 / float64(ms) / 1024
}

// clock writes hours, minutes and seconds.
func clock(d time.Duration) string {
	const longest = 9999 * time.Hour
	if d < 0 || d > longest {
		return "  ??:??:??"
	}
	s := int64(d.Seconds())
	return fmt.Sprintf("%4d:%02d:%02d", s/3600, s/60%60, s%60)
}

// finish shows the last line of a file whose data have all come. What may
// stand between two files calls it with the lock held.
func (r *Report) finish() {
	if !r.moving {
		return
	}
	r.moving = false
	now := r.now()
	done, size, since := r.last.Size, r.last.Size, r.began
	r.sum += r.last.Size
	if r.overall() {
		done, size, since = r.sum, r.size, r.first
	}
	if r.shown.IsZero() && r.last.Size > 0 {
		// What was found at the other side was not reported as data.
		r.shown = now
		fmt.Fprint(r.Out, r.progressLine(done, size, speed(done, now.Sub(since)), "   0:00:00"), "  ")
	}
	line := r.progressLine(done, size, speed(done, now.Sub(since)), clock(now.Sub(since)))
	check := "to"
	if !r.whole {
		check = "ir"
	}
	fmt.Fprintf(r.Out, "%s (xfr#%d, %s-chk=%d/%d)", line, r.transfer, check, r.total-r.index-1, r.total)
	if r.open = r.overall(); !r.open {
		fmt.Fprintln(r.Out)
	}
}

// close ends an open line before another is printed.
func (r *Report) close() {
	r.finish()
	if r.open {
		r.open = false
		fmt.Fprintln(r.Out)
	}
}

// End closes what stands open on the last line.
func (r *Report) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
	if r.heading {
		r.heading = false
		fmt.Fprintln(r.Out)
	}
}

// writer is where lines of other parts go: they push an open one down.
type writer struct{ r *Report }

// Lines returns a writer to out whose lines do not run into open ones.
func (r *Report) Lines() io.Writer { return writer{r} }

func (w writer) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.close()
	for line := range strings.SplitSeq(strings.TrimSuffix(string(p), "\n"), "\n") {
		w.r.log(line)
	}
	return w.r.Out.Write(p)
}
