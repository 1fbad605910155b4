// Package filelist is the list of files that a sender announces: its entries,
// their order, and their form on the wire in each version.
//
// An [Encoder] and a [Decoder] share the state that both sides of a connection
// keep (the previous entry), a [List] holds the entries in the order that the
// protocol's file indexes refer to. A decoder hands out only names that are
// clean and relative; what they may do on a disk is up to rootfs.
package filelist

import (
	"strings"
	"unsafe"
)

// File types in Entry.Mode (st_mode bits, as on the wire).
const (
	ModeType   = 0o170000
	ModeSocket = 0o140000
	ModeLink   = 0o120000
	ModeFile   = 0o100000
	ModeBlock  = 0o060000
	ModeDir    = 0o040000
	ModeChar   = 0o020000
	ModeFifo   = 0o010000
	ModePerm   = 0o007777
)

// Entry is one file of a list.
type Entry struct {
	Dir   string // folder below the transfer's root, "" for its top level
	Base  string // last component; "." with an empty Dir is the root itself
	Size  int64  // bytes
	Mtime int64  // seconds since 1970
	Nsec  uint32 // nanoseconds of the modification time
	Mode  uint32 // type and permission bits, as in st_mode
	UID   uint32
	GID   uint32
	Mark  Mark
	From  uint16 // which of the sender's sources it is from; does not travel
	ext   *extra
}

// extra is what few entries have.
type extra struct {
	target       string   // of a symbolic link
	major, minor uint32   // of a device
	sum          string   // strong checksum of a regular file (--checksum)
	linked       bool     // one of several names of one file (--hard-links)
	dev, ino     uint64   // which file: equal pairs are one
	atime        int64    // seconds since 1970 (--atimes)
	acls         [2]int32 // access and default list, plus 1; 0: none
	xattr        int32    // which list of extended attributes, plus 1; 0: none
}

// Mark is a set of flags that an entry has on this side.
type Mark uint8

// The marks.
const (
	MarkTopDir    Mark = 1 << iota // a folder that the user named
	MarkNoContent                  // a folder that was not looked into
	MarkDropped                    // a duplicate: keeps its index, is not used
	MarkUnnamed                    // also dropped: its name, as it came, cannot be converted
)

// IsDir reports whether the entry is a folder.
func (e *Entry) IsDir() bool { return e.Mode&ModeType == ModeDir }

// IsRegular reports whether the entry is a regular file.
func (e *Entry) IsRegular() bool { return e.Mode&ModeType == ModeFile }

// IsLink reports whether the entry is a symbolic link.
func (e *Entry) IsLink() bool { return e.Mode&ModeType == ModeLink }

// IsDevice reports whether the entry is a block or character device.
func (e *Entry) IsDevice() bool {
	t := e.Mode & ModeType
	return t == ModeBlock || t == ModeChar
}

// IsSpecial reports whether the entry is a fifo or a socket.
func (e *Entry) IsSpecial() bool {
	t := e.Mode & ModeType
	return t == ModeFifo || t == ModeSocket
}

// Path returns the name below the transfer's root; "." is the root itself.
func (e *Entry) Path() string {
	if e.Dir == "" {
		return e.Base
	}
	return e.Dir + "/" + e.Base
}

// SetPath splits a clean relative path into Dir and Base.
func (e *Entry) SetPath(p string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		e.Dir, e.Base = "", p
		return
	}
	e.Dir, e.Base = p[:i], p[i+1:]
}

// Target returns a symbolic link's target.
func (e *Entry) Target() string {
	if e.ext == nil {
		return ""
	}
	return e.ext.target
}

// SetTarget sets a symbolic link's target.
func (e *Entry) SetTarget(t string) { e.extra().target = t }

// Device returns a device's major and minor number.
func (e *Entry) Device() (major, minor uint32) {
	if e.ext == nil {
		return 0, 0
	}
	return e.ext.major, e.ext.minor
}

// SetDevice sets a device's numbers.
func (e *Entry) SetDevice(major, minor uint32) {
	x := e.extra()
	x.major, x.minor = major, minor
}

// Sum returns the strong checksum that came with the list, as raw bytes.
func (e *Entry) Sum() string {
	if e.ext == nil {
		return ""
	}
	return e.ext.sum
}

// SetSum sets the strong checksum.
func (e *Entry) SetSum(s []byte) { e.extra().sum = string(s) }

// Atime returns the access time in seconds since 1970, if it came with the list.
func (e *Entry) Atime() int64 {
	if e.ext == nil {
		return 0
	}
	return e.ext.atime
}

// SetAtime sets the access time.
func (e *Entry) SetAtime(t int64) { e.extra().atime = t }

// ACLs returns the indexes of the entry's access control lists in the
// connection's tables; that of the default list is -1 for what is no folder.
func (e *Entry) ACLs() (access, defaults int32, ok bool) {
	if e.ext == nil {
		return 0, 0, false
	}
	return e.ext.acls[0] - 1, e.ext.acls[1] - 1, e.ext.acls[0] > 0
}

// SetACLs sets these indexes.
func (e *Entry) SetACLs(access, defaults int32) { e.extra().acls = [2]int32{access + 1, defaults + 1} }

// Xattr returns the index of the entry's extended attributes in the
// connection's table, if it has any that are known.
func (e *Entry) Xattr() (index int32, ok bool) {
	if e.ext == nil {
		return 0, false
	}
	return e.ext.xattr - 1, e.ext.xattr > 0
}

// SetXattr sets that index.
func (e *Entry) SetXattr(index int32) { e.extra().xattr = index + 1 }

// Inode returns what several names of one file have in common, if the entry
// may be one of them. On a receiving side the numbers only tell files apart.
func (e *Entry) Inode() (dev, ino uint64, linked bool) {
	if e.ext == nil {
		return 0, 0, false
	}
	return e.ext.dev, e.ext.ino, e.ext.linked
}

// SetInode marks the entry as a name of the file with these numbers.
func (e *Entry) SetInode(dev, ino uint64) {
	x := e.extra()
	x.dev, x.ino, x.linked = dev, ino, true
}

func (e *Entry) extra() *extra {
	if e.ext == nil {
		e.ext = &extra{}
	}
	return e.ext
}

// bytes is about how much memory an entry takes, its folder's name left out.
func (e *Entry) bytes() int64 {
	n := int(unsafe.Sizeof(*e)) + len(e.Base)
	if e.ext != nil {
		n += int(unsafe.Sizeof(*e.ext)) + len(e.ext.target) + len(e.ext.sum)
	}
	return int64(n)
}
