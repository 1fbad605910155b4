package rootfs

import (
	"io/fs"
	"math"

	"golang.org/x/sys/unix"
)

// Fields says which values of a Meta count.
type Fields uint8

// One bit for each value that can be set.
const (
	FieldMode Fields = 1 << iota
	FieldUID
	FieldGID
	FieldMtime
	FieldAtime
)

const (
	fieldOwners = FieldUID | FieldGID
	fieldTimes  = FieldMtime | FieldAtime
)

// Meta is metadata to be set; only the values named in Fields count.
type Meta struct {
	Fields    Fields
	Mode      uint32 // permission bits with set-id and sticky (07777); type bits are ignored, and all of it for a link
	UID, GID  uint32
	MtimeNsec uint32
	AtimeNsec uint32
	Mtime     int64 // seconds since 1970
	Atime     int64
}

// Diff returns those of m's fields in which have differs. Of an Atime whole seconds are compared; a link's mode
// never does, as Linux cannot set it. With owners, mode counts as different when a set-id bit is wanted: chown clears those.
func (m Meta) Diff(have Info) Fields {
	var diff Fields
	if m.Atime != have.Atime {
		diff |= m.Fields & FieldAtime
	}
	if m.UID != have.UID {
		diff |= m.Fields & FieldUID
	}
	if m.GID != have.GID {
		diff |= m.Fields & FieldGID
	}
	if m.Mtime != have.Mtime || m.MtimeNsec != have.MtimeNsec {
		diff |= m.Fields & FieldMtime
	}
	const setID = unix.S_ISUID | unix.S_ISGID
	if !have.IsSymlink() && (m.Mode&0o7777 != have.Perm() || diff&fieldOwners != 0 && m.Mode&setID != 0) {
		diff |= m.Fields & FieldMode
	}
	return diff
}

// stamp is a time for utimensat; nsec may be UTIME_OMIT.
type stamp struct{ sec, nsec int64 }

// times returns access and modification time as utimensat wants them.
func (m Meta) times(set Fields) [2]stamp {
	t := [2]stamp{{nsec: unix.UTIME_OMIT}, {nsec: unix.UTIME_OMIT}}
	if set&FieldAtime != 0 {
		t[0] = stamp{m.Atime, int64(m.AtimeNsec)}
	}
	if set&FieldMtime != 0 {
		t[1] = stamp{m.Mtime, int64(m.MtimeNsec)}
	}
	return t
}

// owners returns user and group as chown wants them, -1 for "leave alone".
func (m Meta) owners(set Fields) (uid, gid int) {
	uid, gid = -1, -1
	if set&FieldUID != 0 {
		uid = int(m.UID)
	}
	if set&FieldGID != 0 {
		gid = int(m.GID)
	}
	return uid, gid
}

// valid refuses values that the kernel would take for something else: UTIME_NOW and UTIME_OMIT lie beyond the nanoseconds of
// a second, and the highest id means "leave alone".
func (m Meta) valid() error {
	if m.Fields&FieldUID != 0 && m.UID == math.MaxUint32 || m.Fields&FieldGID != 0 && m.GID == math.MaxUint32 {
		return unix.EINVAL
	}
	if m.Fields&FieldMtime != 0 && m.MtimeNsec >= 1e9 || m.Fields&FieldAtime != 0 && m.AtimeNsec >= 1e9 {
		return unix.EINVAL
	}
	return nil
}

// SetMetadata sets on the open file what m names and what differs: owner, times, mode, in this order, because chown clears
// set-id bits and a mode can lock ourselves out. Call it after the last write, which sets times. It stops at the first step that fails; the error's Op
// says which one.
func (f *File) SetMetadata(m Meta) error {
	if f.fd < 0 {
		return f.error("set metadata", fs.ErrClosed)
	}
	if err := m.valid(); err != nil {
		return f.error("set metadata", err)
	}
	if err := f.settle(); err != nil {
		return err
	}
	set := m.Fields
	if set&fieldOwners != 0 { // looking costs less than a needless chown; else nearly always all differs
		have, err := f.Stat()
		if err != nil {
			return err
		}
		set = m.Diff(have)
	}
	if set&fieldOwners != 0 {
		uid, gid := m.owners(set)
		if err := again(func() error { return unix.Fchown(f.fd, uid, gid) }); err != nil {
			return f.error("chown", err)
		}
	}
	if set&fieldTimes != 0 {
		if err := setTimes(f.fd, nil, m.times(set), 0); err != nil {
			return f.error("set times", err)
		}
	}
	if set&FieldMode != 0 {
		return f.error("chmod", again(func() error { return unix.Fchmod(f.fd, m.Mode&0o7777) }))
	}
	return nil
}

// SetMetadata looks at path and sets what m names and what differs, never following a link. Mode is skipped for symbolic
// links. See File.SetMetadata for the order and the errors.
func (r *Root) SetMetadata(path string, m Meta) error {
	isDir := false
	if r.follow != nil {
		have, err := r.Stat(path)
		isDir = err == nil && have.IsDir()
	}
	return r.metaAt("set metadata", path, isDir, func(d *dir, base string) error {
		var have Info
		if err := r.kernel.stat(d.fd, base, &have); err != nil {
			return err
		}
		return r.update(d, base, path, have, m)
	})
}

// UpdateMetadata is SetMetadata for those who have just looked: have is what Lstat or ReadDirInfo told about path. A have
// that is out of date can make it skip a value, never follow a link.
func (r *Root) UpdateMetadata(path string, have Info, m Meta) error {
	if m.valid() == nil && m.Diff(have) == 0 {
		return pathError("set metadata", path, CheckPath(path))
	}
	return r.metaAt("set metadata", path, have.IsDir(), func(d *dir, base string) error {
		return r.update(d, base, path, have, m)
	})
}

func (r *Root) update(d *dir, base, path string, have Info, m Meta) error {
	if err := m.valid(); err != nil {
		return err
	}
	set := m.Diff(have)
	if set&fieldOwners != 0 {
		uid, gid := m.owners(set)
		err := again(func() error { return unix.Fchownat(d.fd, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW) })
		if err != nil {
			return pathError("chown", path, err)
		}
	}
	if set&fieldTimes != 0 {
		name, err := unix.BytePtrFromString(base)
		if err == nil {
			err = setTimes(d.fd, name, m.times(set), unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			return pathError("set times", path, err)
		}
	}
	if set&FieldMode != 0 {
		return pathError("chmod", path, r.kernel.chmod(d.fd, base, m.Mode&0o7777, have.Mode&unix.S_IFMT))
	}
	return nil
}
