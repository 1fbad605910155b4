package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/xattr"
)

// generator compares the list with what is there, makes folders, links and
// devices, deletes, and requests the data of files (generator.c).
type generator struct {
	*receiver
	have           xattr.List // of the entry whose item comes next
	part           *part      // whose entries are being looked at
	sums           *checksum.Blocks
	aloof          aloof
	scratch        []byte
	buf            []byte
	flushAt        int                 // bytes that wait before a flush, growing
	flushed        time.Time           // when something was last handed over
	steps          int                 // calls of flushNow
	untold         int                 // entries of parts that are done with but for the sender's knowing
	lost           map[string]struct{} // folders that could not be made
	touch          map[int32]struct{}  // folders whose times or modes are set at the end
	lastDir        string              // folder last marked for touching
	leaders        map[int32]*family   // names of a file that has several
	links          []int32             // names that wait until all data is there
	settling       bool                // a name that was postponed must not be again
	skipped        bool                // deletions were skipped, and said so
	skippedDeletes int                 // because of --max-delete
	redoing        bool
	asked          int     // requests so far
	plain          bool    // see isPlain
	near           similar // for --fuzzy
	past           sync.Once
	pastErr        error // of making durable what was there

	// With a list that comes in parts:
	walked int32     // where the last one starts that has been gone through
	open   *part     // the oldest one that is not done with
	trail  []entered // the part at hand and those that it is in
	left   []left    // folders that are done with but for what is below
	tree   []left    // those that are done with but for what will be deleted
	doomed []victim  // what --delete-delay will delete
	groups map[uint64]*linkGroup
	lasts  map[uint64]int32 // the last name of each group in the parts that were searched
	// searched is the last of those.
	searched *part
}

func (g *generator) run() error {
	g.sums = checksum.NewBlocks(g.FileSum, g.Seed, g.Caps.SeedFirst)
	g.flushAt, g.flushed = 64, time.Now()
	g.plain = g.isPlain()
	g.part = g.parts.oldest()
	work := g.whole
	if g.Caps.IncRecurse {
		work = g.piecemeal
	}
	if err := work(); err != nil {
		return err
	}
	if err := g.phases(); err != nil {
		return err
	}
	if err := g.lateDeletions(); err != nil {
		return err
	}
	g.tellLimit()
	return g.touchDirs()
}

// whole does the first pass over a list that has come whole.
func (g *generator) whole() error {
	g.findLeaders()
	if g.deletes() == options.DeleteBefore {
		if err := g.deletePass(); err != nil {
			return err
		}
	}
	if err := g.walk(); err != nil {
		return err
	}
	return g.writeDone()
}

// walk brings the entries of a part up to date.
func (g *generator) walk() error {
	p := g.part
	g.findLasts()
	g.replay.passed(p.Start)
	for i := p.Start; i < p.End(); i++ {
		g.part = p // what is done in between can be of another one
		if err := g.entry(i); err != nil {
			return err
		}
		if err := g.settleNames(i); err != nil {
			return err
		}
		g.replay.passed(i + 1)
		if err := g.flushNow(); err != nil {
			return err
		}
		if g.Caps.IncRecurse && g.steps%16 == 0 {
			if err := g.attend(); err != nil {
				return err
			}
		}
	}
	return nil
}

// phases ends the first pass and serves the second (generator.c:generate_files).
func (g *generator) phases() error {
	g.redoing = true
	for done := 1; ; done++ {
		if err := g.wait(func() bool { return g.events.phases() >= done }); err != nil {
			return err
		}
		if done > g.common.phases() {
			return g.makeLinks()
		}
		if done == 2 { // all data is there, and items can still be told
			if err := g.makeLinks(); err != nil {
				return err
			}
		}
		if err := g.writeDone(); err != nil {
			return err
		}
	}
}

// deletes returns when this side deletes.
func (g *generator) deletes() options.DeleteMode {
	if g.show != nil {
		return options.DeleteNone
	}
	if g.opt.Delete == options.DeleteDefault {
		if g.Caps.DeletesDuring {
			return options.DeleteDuring
		}
		return options.DeleteBefore
	}
	return g.opt.Delete
}

// entry brings one entry of the part up to date, or requests what is needed
// for that.
// Errors with the file itself are reported; an error returned ends the run.
func (g *generator) entry(index int32) error {
	e := g.part.At(index)
	if e.Mark&filelist.MarkDropped != 0 {
		return nil
	}
	if g.Caps.IncRecurse && e.IsDir() && index >= g.part.Start {
		return nil // its turn comes with its own part
	}
	if g.show != nil {
		g.show(e)
		return nil
	}
	var (
		have   rootfs.Info
		exists bool
		err    error
	)
	plain := g.plain && e.IsRegular() && !g.redoing
	if plain {
		if have, exists, err = g.found(g.root.LstatIn(e.Dir, e.Base)); exists && g.staysAsItIs(e, &have) {
			return nil
		}
	}
	p := g.path(e)
	if !plain {
		if g.rules != nil && g.rules.Refused(p, e.IsDir()) {
			g.refuse(e, p)
			return nil
		}
		have, exists, err = g.lookupEntry(e, p)
	}
	if g.isLost(p) {
		return nil
	}
	if err != nil {
		g.failFile("stat %q failed: %v", p, reason(err))
		return nil
	}
	if done, err := g.aside(e, p, have, exists); done {
		return g.tolerate(err)
	}
	if !g.redoing && g.passedOver(e, p, have, exists) {
		return nil
	}
	if waits, err := g.linkLater(index, e); waits || err != nil {
		return err
	}
	asked := g.asked
	switch {
	case e.IsDir():
		err = g.dir(index, e, p, have, exists)
	case e.IsRegular():
		err = g.file(index, e, p, have, exists)
	case e.IsLink() && g.opt.Links:
		err = g.link(index, e, p, have, exists)
	case !g.opt.DropDevices && (e.IsDevice() && g.opt.Devices && g.mayMakeDevices() || e.IsSpecial() && g.opt.Specials):
		err = g.node(index, e, p, have, exists)
	case g.opt.Info(options.InfoNonreg) > 0:
		g.report(proto.TagInfo, "skipping non-regular file \"%s\"", p)
	}
	if g.asked == asked {
		g.unchooseMissing(index, e, p)
	}
	return g.tolerate(err)
}

// tolerate reports an error with one file and returns any other.
func (g *generator) tolerate(err error) error {
	if err == nil { // as a rule; looking closer costs an allocation
		return nil
	}
	var local *localError
	if errors.As(err, &local) {
		g.failFile("%s", local)
		return nil
	}
	return err
}

// localError is an error with one file, which does not end the run.
type localError struct {
	what, path string
	err        error
}

func (e *localError) Error() string {
	return fmt.Sprintf("%s %q failed: %v", e.what, e.path, reason(e.err))
}
func (e *localError) Unwrap() error { return e.err }

func local(what, path string, err error) error {
	if err == nil {
		return nil
	}
	return &localError{what, path, err}
}

// lookup looks at what is there under a name.
func (r *receiver) lookup(p string) (rootfs.Info, bool, error) {
	if r.void {
		return rootfs.Info{}, false, nil
	}
	info, err := r.root.Lstat(p)
	if err == nil {
		info, err = r.unfake(r.root, p, info)
		return info, err == nil, err
	}
	return r.found(info, err)
}

// found makes of what lstat says whether something is there.
func (r *receiver) found(info rootfs.Info, err error) (rootfs.Info, bool, error) {
	if err == nil {
		return info, true, nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return rootfs.Info{}, false, nil
	}
	if errors.Is(err, rootfs.ErrSymlink) && r.opt.DryRun {
		return rootfs.Info{}, false, nil // a real run would have made way
	}
	return rootfs.Info{}, false, err
}

// unchanged is the quick check (generator.c:quick_check_ok).
func (g *generator) unchanged(e *filelist.Entry, p string, have rootfs.Info) bool {
	return g.unchangedAt(e, spot{g.root, p}, have)
}

func (g *generator) unchangedAt(e *filelist.Entry, s spot, have rootfs.Info) bool {
	switch {
	case have.Size != e.Size:
		return false
	case g.opt.Checksum:
		sum, err := fileSum(s.root, s.path, g.openFlags(), g.ListSum)
		return err == nil && string(sum) == e.Sum()
	case g.opt.SizeOnly:
		return true
	case g.opt.IgnoreTimes:
		return false
	}
	return !g.timeDiffers(e, &have)
}

// timeDiffers compares modification times within --modify-window; only a
// negative window looks at nanoseconds (util1.c:same_time).
func (g *generator) timeDiffers(e *filelist.Entry, have *rootfs.Info) bool {
	d := e.Mtime - have.Mtime
	w := g.opt.ModifyWindow.Value
	if w < 0 {
		return d != 0 || e.Nsec != have.MtimeNsec
	}
	return d > w || -d > w
}

// How long requests may wait for more of them, and how long the peer may hear
// nothing: a daemon with a timeout would take a long comparison for a stall.
const (
	flushAfter = 50 * time.Millisecond
	aliveAfter = 5 * time.Second
)

// flushNow hands waiting requests over: soon at first, so that the sender
// starts, then in larger portions, but none waits for long.
func (g *generator) flushNow() error {
	pending := g.W.Pending()
	if pending >= g.flushAt {
		g.flushAt = min(g.flushAt*2, 8*1024)
		g.flushed = time.Now()
		return g.W.Flush()
	}
	if g.steps++; g.steps%16 != 0 {
		return nil
	}
	quiet := time.Since(g.flushed)
	switch {
	case pending > 0 && quiet > flushAfter:
	case quiet > aliveAfter:
		// io.c:maybe_send_keepalive; without frames there is nothing to say.
		g.W.Message(proto.TagData, nil)
		if g.Busy != nil {
			g.Busy()
		}
	default:
		return nil
	}
	g.flushed = time.Now()
	return g.W.Flush()
}

// markDir notes that something in e's folder changes.
func (g *generator) markDir(e *filelist.Entry) {
	dir := e.Dir
	if dir == "" {
		dir = "."
	}
	switch {
	case e.Base == ".":
		return
	case g.Caps.IncRecurse:
		if e.IsDir() {
			g.markParent(dir)
		} else if g.part.Parent != nil {
			g.touch[g.part.Start-1] = struct{}{}
		}
		return
	case dir == g.lastDir:
		return
	}
	g.lastDir = dir
	if i := g.part.Find(dir, true, g.Caps.DirsSortLast); i >= 0 {
		g.touch[int32(i)] = struct{}{}
	}
}

// refuse tells of what the module's rules keep out (generator.c:recv_generator).
// What is in a folder goes without saying.
func (g *generator) refuse(e *filelist.Entry, p string) {
	switch {
	case e.Dir != "" && g.rules.Refused(path.Dir(p), true):
		g.xferErr.Store(true)
	case e.IsDir():
		g.failFile("ERROR: daemon refused to receive directory \"%s\"", p)
		g.failFile("*** Skipping any contents from this failed directory ***")
	default:
		g.failFile("ERROR: daemon refused to receive file \"%s\"", p)
	}
}
