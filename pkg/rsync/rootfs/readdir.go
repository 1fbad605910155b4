package rootfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// direntBuffer is how much of a directory is read at once, in bytes.
const direntBuffer = 32 << 10

// DirEntry is a name in a directory.
type DirEntry struct {
	Name string
	Type uint32 // the S_IFMT bits as in Info.Mode; 0 where the file system does not tell, then Lstat does
}

// NamedInfo is a name in a directory and what lstat tells about it.
type NamedInfo struct {
	Name string
	Info
	Err error // why Info is missing; nil as a rule
}

// ScanDir calls visit for each entry of the directory path, "." and ".." left out, in the order the file system keeps. Memory
// is bounded however large the directory: name lies in a buffer and is valid during the call only. typ is as DirEntry.Type.
// An error of visit ends the scan and is returned as it is.
func (r *Root) ScanDir(path string, visit func(name []byte, typ uint32) error) error {
	fd, err := r.openDir(path)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	buf := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buf)
	var stopped error
	err = getdents(fd, *buf, func(_ uint64, name []byte, typ uint32) error {
		stopped = visit(name, typ)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	return pathError("read directory", path, err)
}

// ReadDir returns the entries of the directory path, unsorted.
func (r *Root) ReadDir(path string) ([]DirEntry, error) {
	var list nameList
	err := r.ScanDir(path, func(name []byte, typ uint32) error {
		list.add(0, name, typ)
		return nil
	})
	if err != nil {
		return nil, err
	}
	entries := make([]DirEntry, len(list.at))
	all := string(list.names)
	for i, e := range list.at {
		entries[i] = DirEntry{Name: all[e.start:e.end], Type: e.typ}
	}
	return entries, nil
}

// ReadDirInfo returns the entries of the directory path, each with its Info, in no useful order. An entry that vanishes
// meanwhile is left out; one that cannot be looked at has its Err set and the rest is still read.
//
// Entries are looked at in the order of their inode numbers: on a disk that is how inodes lie, so a cold survey moves the
// heads once over the inode tables instead of back and forth.
func (r *Root) ReadDirInfo(path string) ([]NamedInfo, error) {
	fd, err := r.openDir(path)
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	buf := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buf)
	var list nameList
	err = getdents(fd, *buf, func(ino uint64, name []byte, typ uint32) error {
		list.add(ino, name, typ)
		return nil
	})
	if err != nil {
		return nil, pathError("read directory", path, err)
	}
	slices.SortFunc(list.at, func(a, b listed) int { return cmp.Compare(a.ino, b.ino) })
	infos := make([]NamedInfo, 0, len(list.at))
	all := string(list.names)
	for _, e := range list.at {
		infos = append(infos, NamedInfo{Name: all[e.start:e.end]})
		n := &infos[len(infos)-1] // looked up in place: no copy, nothing allocated
		err := r.kernel.stat(fd, n.Name, &n.Info)
		switch err {
		case nil:
		case unix.ENOENT:
			infos = infos[:len(infos)-1]
		default:
			n.Err = pathError("lstat", join(path, n.Name), err)
		}
	}
	return infos, nil
}

// nameList collects names of a directory in one block of memory instead of one each.
type nameList struct {
	names []byte
	at    []listed
}

type listed struct {
	ino        uint64
	start, end uint32 // into names; four billion bytes of names in one directory are more than its memory would hold
	typ        uint32
}

func (l *nameList) add(ino uint64, name []byte, typ uint32) {
	start := len(l.names)
	l.names = append(l.names, name...)
	l.at = append(l.at, listed{ino: ino, start: uint32(start), end: uint32(len(l.names)), typ: typ})
}

// openDir opens the directory path for listing or syncing.
func (r *Root) openDir(path string) (fd int, err error) {
	if r.follow != nil {
		return r.openPath("open directory", path, listFlags)
	}
	if g := r.cache.grafted(path); g != nil {
		defer g.release()
		if g.path == path {
			fd, err = openat(g.fd, ".", listFlags, 0)
			return fd, pathError("open directory", path, err)
		}
	}
	err = r.at("open directory", path, false, func(d *dir, base string) error {
		fd, err = openat(d.fd, base, listFlags, 0)
		if err != nil {
			return linkInTheWay(d.fd, base, err)
		}
		return nil
	})
	return fd, err
}

// getdents calls visit for each entry but "." and ".." of the directory fd. getdents64(2)
func getdents(fd int, buf []byte, visit func(ino uint64, name []byte, typ uint32) error) error {
	for {
		n, err := unix.Getdents(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n <= 0:
			return nil
		}
		if err := eachDirent(buf[:n], visit); err != nil {
			return err
		}
	}
}

// eachDirent takes apart what getdents64 wrote: per entry inode (8 bytes), offset (8), record length (2), type (1), name,
// NUL. The kernel is trusted, but a length that makes no sense ends the directory rather than the program.
func eachDirent(buf []byte, visit func(ino uint64, name []byte, typ uint32) error) error {
	const head = 19
	for len(buf) > head {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size <= head || size > len(buf) {
			return unix.EIO
		}
		record := buf[:size]
		buf = buf[size:]
		name := record[head:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		switch string(name) { // compiled without a copy
		case "", ".", "..":
			continue
		}
		// DT_x is the type nibble of st_mode.
		if err := visit(binary.NativeEndian.Uint64(record), name, uint32(record[18])<<12); err != nil {
			return err
		}
	}
	return nil
}
