package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// received puts a file into its place, or keeps or drops one whose sum does
// not agree.
func (f *fileReceiver) received(in *incoming, ok bool) error {
	partial, kept := f.partial(in.path)
	m := f.meta(in.e, in.have, in.exists && in.have.IsRegular())
	if ok {
		return f.accepted(in, partial, kept, m)
	}
	m.Fields &^= rootfs.FieldMtime | rootfs.FieldAtime // so that the next run does not take it for the file
	var err error
	outcome := "discarded"
	switch {
	case f.opt.Inplace:
		outcome, err = "retained", f.endInPlace(in, m)
	case in.into.path != "":
		outcome, err = "put into partial-dir", f.endInPlace(in, m)
	case kept:
		outcome = "put into partial-dir"
		_, err = f.keepPartial(in, partial, m)
	case f.opt.Partial:
		outcome = "retained"
		if err = f.commit.replaced(in.path, in.redo); err == nil {
			_, err = f.keepAs(in, in.path, f.root, m)
		}
	}
	if in.temp != nil {
		in.temp.Abort() // unless it has another name now
	}
	if err != nil {
		return err
	}
	return f.unverified(in, outcome)
}

// accepted puts a file into its place.
func (f *fileReceiver) accepted(in *incoming, partial spot, kept bool, m rootfs.Meta) error {
	f.fate = fateCommit
	switch {
	case f.opt.Inplace:
		if err := f.endInPlace(in, m); err != nil {
			return err
		}
		f.success(in.index, in.path)
	case f.opt.DelayUpdates && kept:
		waits, err := f.delay(in, partial, m)
		if !waits {
			f.fate = fateFailed
			return err
		}
	default:
		done := finished{
			temp: in.temp, held: in.out.f, from: in.into, path: in.path, meta: m, redo: in.redo, part: in.part, index: in.index, entry: in.e,
		}
		if kept && (in.into.path != "" || in.from == partial) {
			done.done = func() { f.dropPartial(partial) }
		}
		return f.commit.add(done, in.e.Size)
	}
	f.settle(in.part, in.e, true)
	return nil
}

// endInPlace ends a file that was written in place.
func (f *fileReceiver) endInPlace(in *incoming, m rootfs.Meta) error {
	if !in.out.fixed { // a device keeps what it has
		if err := f.dressFile(in.out.f, in.e, in.path, m, false); err != nil {
			f.failFile("setting the attributes of %q failed: %v", in.path, reason(err))
		}
	}
	if f.opt.Fsync {
		if err := in.out.f.Sync(); err != nil {
			in.out.f.Close()
			return proto.Failf(proto.ExitFileIO, "sync %q: %w", in.path, reason(err))
		}
	}
	if err := in.out.f.Close(); err != nil {
		return writeError(in.path, err)
	}
	if in.into.path == "" && !in.out.fixed {
		f.dressAgain(in.e, in.path, m)
	}
	return nil
}

// keepPartial puts what has come into the folder of partial files; false if it
// could not, which has been told.
func (f *fileReceiver) keepPartial(in *incoming, to spot, m rootfs.Meta) (kept bool, err error) {
	if err := to.makeDir(); err != nil {
		f.failFile("Unable to create partial-dir for %q -- discarding it: %v", in.path, reason(err))
		return false, nil
	}
	return f.keepAs(in, to.path, to.root, m)
}

// keepAs gives what has come another name than the file's own, or that name
// though it is not the file; false if that failed, which has been told.
func (f *fileReceiver) keepAs(in *incoming, p string, root *rootfs.Root, m rootfs.Meta) (kept bool, err error) {
	if err := f.beforeChange(); err != nil {
		return false, err
	}
	done := finished{temp: in.temp, path: p, meta: m, entry: in.e}
	if err := f.commit.dress(done); err != nil {
		f.failFile("setting the attributes of %q failed: %v", in.path, reason(err))
	}
	if err := f.commit.put(done, root); err != nil {
		f.failFile("rename to %q failed: %v", p, reason(err))
		return false, nil
	}
	return true, nil
}

// delay has a finished file wait for the end of the run. If it cannot, false:
// what is there in its place may be what an earlier run has left unfinished.
func (f *fileReceiver) delay(in *incoming, to spot, m rootfs.Meta) (waits bool, err error) {
	if in.into.path != "" {
		err = f.endInPlace(in, m)
		waits = err == nil
	} else {
		defer in.temp.Abort() // unless it has another name then
		if f.opt.Fsync {
			if err := in.temp.Sync(); err != nil {
				return false, proto.Failf(proto.ExitFileIO, "sync %q: %w", in.path, reason(err))
			}
		}
		waits, err = f.keepPartial(in, to, m)
	}
	if waits {
		f.delayed = append(f.delayed, delayed{to, in.path, in.index})
	}
	return waits, err
}

// interrupted keeps what has come of a file when the session breaks off, if
// that is asked for and worth it (cleanup.c:_exit_cleanup).
func (f *fileReceiver) interrupted(in *incoming, worth bool) {
	if in.temp == nil {
		in.out.f.Close()
		return
	}
	partial, kept := f.partial(in.path)
	m := f.meta(in.e, in.have, in.exists && in.have.IsRegular())
	m.Fields &^= rootfs.FieldMtime | rootfs.FieldAtime
	switch {
	case !worth || !f.opt.Partial || f.changeErr != nil:
	case kept:
		_ = in.out.end()
		_, _ = f.keepPartial(in, partial, m)
	default:
		// A time in the past shows that it is not the file, --update included.
		m.Fields |= rootfs.FieldMtime
		m.Mtime, m.MtimeNsec = 0, 0
		_ = in.out.end()
		if f.commit.replaced(in.path, in.redo) == nil {
			_, _ = f.keepAs(in, in.path, f.root, m)
		}
	}
	in.temp.Abort() // unless it has another name now
}

// unverified has a file whose sum does not agree sent again, once.
func (f *fileReceiver) unverified(in *incoming, outcome string) error {
	if in.part.again.take(in.at()) {
		f.failFile("ERROR: %s failed verification -- update %s.", in.e.Path(), outcome)
		return nil
	}
	hope := "will"
	if f.replay != nil {
		hope = "may"
		f.replay.failed++
	}
	f.report(proto.TagWarning, "WARNING: %s failed verification -- update %s (%s try again).", in.e.Path(), outcome, hope)
	in.part.again.add(in.at())
	f.fate = fateAgain
	f.events.again(in.index)
	return nil
}
