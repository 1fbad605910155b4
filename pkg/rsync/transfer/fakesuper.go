package transfer

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// statAttr is where --fake-super writes down what only root could set:
// "mode major,minor uid:gid", the mode in octal (xattrs.c: XSTAT_ATTR).
const statAttr = ownAttrs + "stat"

// faked is what such an attribute says.
type faked struct{ mode, major, minor, uid, gid uint32 }

func (f faked) String() string {
	return fmt.Sprintf("%o %d,%d %d:%d", f.mode, f.major, f.minor, f.uid, f.gid)
}

// parseFaked reads an attribute (xattrs.c:get_stat_xattr).
func parseFaked(text string) (f faked, err error) {
	bad := fmt.Errorf("corrupt attribute %s: %q", statAttr, text[:min(len(text), 80)])
	words := strings.Fields(text)
	if len(words) != 3 {
		return f, bad
	}
	mode, err := strconv.ParseUint(words[0], 8, 32)
	if err != nil {
		return f, bad
	}
	f.mode = uint32(mode)
	for _, part := range []struct {
		text, between string
		a, b          *uint32
	}{{words[1], ",", &f.major, &f.minor}, {words[2], ":", &f.uid, &f.gid}} {
		a, b, ok := strings.Cut(part.text, part.between)
		na, errA := strconv.ParseUint(a, 10, 32)
		nb, errB := strconv.ParseUint(b, 10, 32)
		if !ok || errA != nil || errB != nil || na == math.MaxUint32 || nb == math.MaxUint32 {
			return f, bad
		}
		*part.a, *part.b = uint32(na), uint32(nb)
	}
	e := filelist.Entry{Mode: f.mode}
	if f.mode&^(filelist.ModeType|filelist.ModePerm) != 0 ||
		!e.IsRegular() && !e.IsDir() && !e.IsLink() && !e.IsDevice() && !e.IsSpecial() {
		return f, bad
	}
	return f, nil
}

// fakes reports whether root's attributes are written down here.
func (c *common) fakes() bool { return c.opt.Super == options.SuperFake }

// unfake returns what a file is said to be (xattrs.c:x_lstat).
func (c *common) unfake(root *rootfs.Root, p string, in rootfs.Info) (rootfs.Info, error) {
	if !c.fakes() || !in.IsRegular() && !in.IsDir() {
		return in, nil
	}
	a, err := root.OpenAttrs(p, c.attrFlags(false))
	if err != nil {
		return in, ignoreUnsupported(err)
	}
	defer a.Close()
	f, known, err := readFaked(a)
	if err != nil || !known {
		return in, err
	}
	in.Mode, in.UID, in.GID, in.Rdev = f.mode, f.uid, f.gid, rootfs.MakeDev(f.major, f.minor)
	return in, nil
}

func readFaked(a *rootfs.Attrs) (f faked, known bool, err error) {
	text, err := a.Get(statAttr)
	switch {
	case errors.Is(err, syscall.ENODATA), errors.Is(err, syscall.ENOTSUP):
		return f, false, nil
	case err != nil:
		return f, false, err
	}
	f, err = parseFaked(string(text))
	return f, err == nil, err
}

// readlink reads a link's target, which with --fake-super is a file's content. A
// real link has none where links are to be files, so that it becomes one
// (syscall.c:do_readlink).
func (c *common) readlink(root *rootfs.Root, p string) (string, error) {
	if !c.fakes() {
		return root.Readlink(p)
	}
	f, _, err := root.OpenRead(p, 0)
	if errors.Is(err, rootfs.ErrSymlink) {
		if !c.sending {
			return "", nil
		}
		return root.Readlink(p)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, proto.MaxPath))
	if err == nil && (len(text) == 0 || len(text) >= proto.MaxPath || strings.IndexByte(string(text), 0) >= 0) {
		err = errors.New("what stands for a link has no target in it")
	}
	return string(text), err
}

// makeFile makes a file with content, for a link, a device or the like.
func (r *receiver) makeFile(p, content string) error {
	t, err := r.root.CreateTemp(p)
	if err != nil {
		return err
	}
	defer t.Abort()
	if _, err := t.Write([]byte(content)); err != nil {
		return err
	}
	return t.Commit(p)
}

// fake writes down what of m only root could set, and returns what is to be set
// in earnest; real is what the file is (xattrs.c:set_stat_xattr).
func (r *receiver) fake(a *rootfs.Attrs, real rootfs.Info, e *filelist.Entry, m rootfs.Meta) (rootfs.Meta, error) {
	want := faked{mode: e.Mode&filelist.ModeType | m.Mode&filelist.ModePerm, uid: real.UID, gid: real.GID}
	if e.IsDevice() {
		want.major, want.minor = e.Device()
	}
	if m.Fields&rootfs.FieldUID != 0 {
		want.uid = m.UID
	}
	if m.Fields&rootfs.FieldGID != 0 {
		want.gid = m.GID
	}
	m.Fields = m.Fields&^(rootfs.FieldUID|rootfs.FieldGID) | rootfs.FieldMode
	m.Mode = want.mode&0o777 | 0o600
	if real.IsDir() {
		m.Mode |= 0o700
	}
	have, known, err := readFaked(a) // one that is corrupt is replaced
	switch {
	case real.Mode&filelist.ModeType|m.Mode == want.mode && real.UID == want.uid && real.GID == want.gid:
		if known || err != nil {
			return m, a.Remove(statAttr)
		}
		return m, nil
	case known && have == want:
		return m, nil
	}
	return m, a.Set(statAttr, []byte(want.String()))
}

// setMeta sets metadata of what is at p, or writes them down; have is what it
// is said to be. What is a device or fifo in earnest cannot have anything written
// down, which is an error where that is needed, as in C rsync.
func (r *receiver) setMeta(e *filelist.Entry, p string, have rootfs.Info, m rootfs.Meta) error {
	if !r.fakes() {
		return r.root.UpdateMetadata(p, have, m)
	}
	real, err := r.root.Lstat(p)
	if err != nil {
		return err
	}
	a, err := r.root.OpenAttrs(p, 0)
	if err != nil {
		return err
	}
	m, unwritten := r.fake(a, real, e, m)
	a.Close()
	if err := r.root.UpdateMetadata(p, real, m); err != nil {
		return err
	}
	return unwritten
}
