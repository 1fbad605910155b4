package rootfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"

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
	var names Names
	if err := r.ReadNames(path, &names); err != nil {
		return nil, err
	}
	names.Close()
	entries := make([]DirEntry, len(names.at))
	for i, e := range names.at {
		entries[i] = DirEntry{Name: e.name, Type: e.typ}
	}
	return entries, nil
}

// ReadDirInfo returns the entries of the directory path, each with its Info, in no useful order. An entry that vanishes
// meanwhile is left out; one that cannot be looked at has its Err set and the rest is still read.
func (r *Root) ReadDirInfo(path string) ([]NamedInfo, error) {
	var names Names
	if err := r.ReadNames(path, &names); err != nil {
		return nil, err
	}
	return names.Look(0, names.Len(), nil), nil
}

// Names are the entries of a directory in little memory, for those who want to sort them before they look at them. The zero
// value has none and can be used again and again. For one goroutine.
type Names struct {
	kernel *kernel
	path   string
	fd     int // of the directory plus one, 0: closed

	at    []listed
	order []int32 // what Look sorts
	text  []byte  // room for names
}

type listed struct {
	ino  uint64
	name string // with a NUL behind it
	typ  uint32
}

// Blocks of names: the first is small, as most directories are.
const (
	firstNames = 512
	mostNames  = 16 << 10
)

// Len is how many there are.
func (n *Names) Len() int { return len(n.at) }

// Name is a name; it stays valid.
func (n *Names) Name(i int) string { return n.at[i].name }

// Type is as DirEntry.Type.
func (n *Names) Type(i int) uint32 { return n.at[i].typ }

// Typed reports whether the file system has told all types.
func (n *Names) Typed() bool {
	for i := range n.at {
		if n.at[i].typ == 0 {
			return false
		}
	}
	return true
}

// Sort sorts by a comparison as that of slices.SortFunc.
func (n *Names) Sort(compare func(a string, aType uint32, b string, bType uint32) int) {
	slices.SortFunc(n.at, func(a, b listed) int { return compare(a.name, a.typ, b.name, b.typ) })
}

func (n *Names) add(ino uint64, name []byte, typ uint32) {
	if cap(n.text)-len(n.text) <= len(name) {
		n.text = make([]byte, 0, max(min(max(2*cap(n.text), firstNames), mostNames), len(name)+1))
	}
	start := len(n.text)
	n.text = append(append(n.text, name...), 0)
	n.at = append(n.at, listed{ino: ino, name: unsafe.String(&n.text[start], len(name)), typ: typ}) // never written to again
}

// ReadNames puts the entries of the directory path into names, in place of what is there, unsorted. The directory stays open
// until all have been looked at; call Close if that may not come about.
func (r *Root) ReadNames(path string, names *Names) error {
	names.Close()
	clear(names.at)
	names.at, names.kernel, names.path = names.at[:0], r.kernel, path
	fd, err := r.openDir(path)
	if err != nil {
		return err
	}
	names.fd = fd + 1
	buf := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buf)
	err = getdents(fd, *buf, func(ino uint64, name []byte, typ uint32) error {
		names.add(ino, name, typ)
		return nil
	})
	if err != nil {
		names.Close()
	}
	return pathError("read directory", path, err)
}

// Close gives the directory's handle back; the names stay.
func (n *Names) Close() {
	if n.fd != 0 {
		closeFD(n.fd - 1)
		n.fd = 0
	}
}

// Look appends to infos what the names from...to are, in their order; those that have vanished are left out, and one that
// cannot be looked at has its Err set. Once the last name has been looked at the directory is closed.
//
// They are looked at in the order of their inode numbers: on a disk that is how inodes lie, so a cold survey moves the heads
// once over the inode tables instead of back and forth.
func (n *Names) Look(from, to int, infos []NamedInfo) []NamedInfo {
	at := n.at[from:to]
	n.order = n.order[:0]
	for i := range at {
		n.order = append(n.order, int32(i))
	}
	slices.SortFunc(n.order, func(a, b int32) int { return cmp.Compare(at[a].ino, at[b].ino) })
	start := len(infos)
	infos = slices.Grow(infos, len(at))[:start+len(at)]
	vanished := false
	for _, i := range n.order {
		in := &infos[start+int(i)]
		in.Name, in.Err = at[i].name, nil
		switch err := n.kernel.statName(n.fd-1, unsafe.StringData(in.Name), &in.Info); err {
		case nil:
		case unix.ENOENT:
			in.Name, vanished = "", true
		default:
			in.Err = pathError("lstat", join(n.path, in.Name), err)
		}
	}
	if to == len(n.at) {
		n.Close()
	}
	if vanished {
		infos = slices.DeleteFunc(infos, func(in NamedInfo) bool { return in.Name == "" })
	}
	return infos
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
