package rootfs

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// OpenFlags choose how OpenRead opens.
type OpenFlags uint

const (
	// NoAtime leaves the access time alone where we may (owner or root); elsewhere it is ignored, as rsync does.
	NoAtime OpenFlags = 1 << iota
	// AllowDevices opens devices, fifos and the like too. Reading those may return EAGAIN: nothing here ever blocks on open.
	AllowDevices
	// Follow opens what a symbolic link leads to, in a Root that follows links.
	Follow
	// Append has all that is written through OpenWriteFlags go to the end of the file, wherever that is by then.
	Append
)

// File is an open file. It holds a raw descriptor instead of an os.File: for regular files the runtime's poller and
// finalizers are only cost. So a File must be closed, and a read or write occupies its thread.
//
// ReadAt and WriteAt may be called concurrently; the other methods, Close included, one at a time. Its position, used by
// Read, Write and Skip, is its own and not the descriptor's.
type File struct {
	root *Root
	path string
	fd   int // -1 once closed
	pos  int64
	hole int64 // end of the last Skip, if nothing has been written beyond it
}

var _ interface {
	io.ReadWriteCloser
	io.ReaderAt
	io.WriterAt
} = (*File)(nil)

// OpenRead opens path for reading and returns what it is at that moment (of the opened file itself, so without a race). What
// is not a regular file is refused with ErrNotRegular, a symbolic link with ErrSymlink. Opening a fifo or a line without a
// peer does not block.
func (r *Root) OpenRead(path string, flags OpenFlags) (*File, Info, error) {
	const op = "open"
	f := &File{root: r, path: path, fd: -1}
	var info Info
	err := r.entry(op, path, true, func(d *dir, base string) error {
		open := func(how int) error {
			var err error
			if r.follow != nil && flags&Follow != 0 {
				fl := r.follow
				f.fd, err = r.openFollow(fl.top.fd, fl.full(path), how, fl.links)
			} else {
				f.fd, err = openat(d.fd, base, how, 0)
			}
			return err
		}
		how := readFlags
		if flags&NoAtime != 0 {
			how |= unix.O_NOATIME
		}
		err := open(how)
		if err == unix.EPERM && flags&NoAtime != 0 {
			err = open(readFlags)
		}
		return f.opened(err, flags, &info)
	})
	if err != nil {
		return nil, Info{}, err
	}
	return f, info, nil
}

// OpenWrite opens path for writing in place, and reading; it is created with perm (less the umask) if it does not exist. The
// content is kept. Anything but a regular file is refused as by OpenRead.
func (r *Root) OpenWrite(path string, perm uint32) (*File, Info, error) {
	return r.OpenWriteFlags(path, perm, 0)
}

// OpenWriteFlags is OpenWrite with AllowDevices, which lets it open a device that is there, or Append.
func (r *Root) OpenWriteFlags(path string, perm uint32, flags OpenFlags) (*File, Info, error) {
	const op = "open for writing"
	f := &File{root: r, path: path, fd: -1}
	var info Info
	how := readFlags | unix.O_RDWR | unix.O_CREAT
	if flags&Append != 0 {
		how |= unix.O_APPEND
	}
	err := r.fresh(op, path, func(d *dir, base string) (err error) {
		f.fd, err = openat(d.fd, base, how, perm&0o7777)
		return f.opened(err, flags, &info)
	})
	if err != nil {
		return nil, Info{}, err
	}
	return f, info, nil
}

// opened finishes opening: err is what openat said. On error f is closed.
func (f *File) opened(err error, flags OpenFlags, info *Info) error {
	switch err {
	case nil:
	case unix.ELOOP: // O_NOFOLLOW
		return because(ErrSymlink, err)
	case unix.ENXIO, unix.EISDIR: // a socket, a fifo nobody reads, a device without driver; a directory
		return because(ErrNotRegular, err)
	default:
		return err
	}
	err = f.root.kernel.fstat(f.fd, info)
	if err == nil && !info.IsRegular() && flags&AllowDevices == 0 {
		err = ErrNotRegular
	}
	if err != nil {
		closeFD(f.fd)
		f.fd = -1
	}
	return err
}

// Name returns the path relative to the root that the file was opened by.
func (f *File) Name() string { return f.path }

// Stat returns what the open file is now.
func (f *File) Stat() (info Info, err error) {
	if f.fd < 0 {
		return info, f.error("stat", fs.ErrClosed)
	}
	return info, f.error("stat", f.root.kernel.fstat(f.fd, &info))
}

// Read reads up to len(p) bytes at the position; io.EOF at the end.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.readOnce(p, f.pos)
	f.pos += int64(n)
	return n, err
}

// ReadAt reads len(p) bytes at off, or fewer with an error, io.EOF at the end of the file.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := f.readOnce(p[done:], off+int64(done))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// readOnce is one pread. Something that cannot seek (AllowDevices) is read at its own position.
func (f *File) readOnce(p []byte, off int64) (int, error) {
	switch {
	case f.fd < 0:
		return 0, f.error("read", fs.ErrClosed)
	case off < 0:
		return 0, f.error("read", unix.EINVAL)
	case len(p) == 0:
		return 0, nil
	}
	for {
		n, err := unix.Pread(f.fd, p, off)
		if err == unix.ESPIPE {
			n, err = unix.Read(f.fd, p)
		}
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, f.error("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write writes p at the position and moves it on.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 {
		f.hole = 0
	}
	return n, err
}

// WriteAt writes all of p at off, wherever the position is. Writing beyond the end leaves a hole before it.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case f.fd < 0:
		return 0, f.error("write", fs.ErrClosed)
	case off < 0:
		return 0, f.error("write", unix.EINVAL)
	}
	if err := f.root.charge(int64(len(p))); err != nil {
		return 0, f.error("write", err)
	}
	done := 0
	for done < len(p) {
		n, err := unix.Pwrite(f.fd, p[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return done, f.error("write", err)
		case n == 0:
			return done, f.error("write", io.ErrShortWrite)
		}
		done += n
	}
	return done, nil
}

// Skip moves the position n bytes on without writing, which leaves a hole in a new file: n zero bytes that take no space. A
// hole at the very end is made by SetMetadata, Sync, Close or Commit, or when Truncate is told the size.
func (f *File) Skip(n int64) error {
	if n < 0 || f.pos+n < f.pos {
		return f.error("skip", unix.EINVAL)
	}
	f.pos += n
	f.hole = f.pos
	return nil
}

// settle gives a file that ends in a hole its length. It runs before anything that looks at the file as a whole.
func (f *File) settle() error {
	if f.hole == 0 {
		return nil
	}
	info, err := f.Stat()
	if err != nil || f.hole <= info.Size {
		f.hole = 0
		return err
	}
	return f.Truncate(f.hole)
}

// Truncate makes the file size bytes long; the position stays.
func (f *File) Truncate(size int64) error {
	if f.fd < 0 {
		return f.error("truncate", fs.ErrClosed)
	}
	f.hole = 0
	return f.error("truncate", again(func() error { return unix.Ftruncate(f.fd, size) }))
}

// Preallocate reserves blocks for size bytes without changing the length, so that a disk too small for a big file is
// noticed (ENOSPC) before it is transferred. Where the file system cannot, nothing happens. Not worth its system call for
// small files, and against the sense of Skip; Truncate to the final size frees what was reserved too much.
func (f *File) Preallocate(size int64) error {
	if f.fd < 0 {
		return f.error("preallocate", fs.ErrClosed)
	}
	if size <= 0 {
		return nil
	}
	if err := f.root.charge(size); err != nil {
		return f.error("preallocate", err)
	}
	err := again(func() error { return unix.Fallocate(f.fd, unix.FALLOC_FL_KEEP_SIZE, 0, size) })
	if isErrno(err, unix.EOPNOTSUPP, unix.ENOSYS) {
		return nil
	}
	return f.error("preallocate", err)
}

// Sync waits until the content and metadata are on the disk. fsync(2)
func (f *File) Sync() error {
	if f.fd < 0 {
		return f.error("sync", fs.ErrClosed)
	}
	if err := f.settle(); err != nil {
		return err
	}
	return f.error("sync", again(func() error { return unix.Fsync(f.fd) }))
}

// Close gives the descriptor back. Some file systems (NFS) report a failed write only here, so look at the error after
// writing. A second Close returns fs.ErrClosed.
func (f *File) Close() error {
	if f.fd < 0 {
		return f.error("close", fs.ErrClosed)
	}
	err := f.settle()
	if closeErr := f.error("close", closeFD(f.fd)); err == nil {
		err = closeErr
	}
	f.fd = -1
	return err
}

func (f *File) error(op string, err error) error { return pathError(op, f.path, err) }
