package rootfs

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ownerWalk goes through an operator's path component by component. Each is opened as a handle first; what it is, who owns it and
// where it leads are asked of the handle, and nothing that is a link is ever opened by name.
type ownerWalk struct {
	kernel  kernel
	at      int  // where rest starts
	owned   bool // at is to be closed
	rest    string
	flags   int // of the open at the end, with O_NOFOLLOW
	perm    uint32
	links   int   // that were followed
	races   int   // components that were something else at the second look
	confine *Info // of the directory to stay in, nil for none
}

// move goes to another directory. owned says whether the walk is to close it.
func (w *ownerWalk) move(to int, owned bool) {
	if w.owned {
		closeFD(w.at)
	}
	w.at, w.owned = to, owned
}

// open goes to the end of the path and opens it.
func (w *ownerWalk) open() (int, error) {
	if strings.HasPrefix(w.rest, "/") {
		if err := w.top(); err != nil {
			return -1, err
		}
	}
	for {
		w.rest = strings.TrimLeft(w.rest, "/")
		name, after, more := strings.Cut(w.rest, "/")
		switch {
		case name == "": // the path is at its end, and what it names is a directory
			return w.end(".")
		case name == ".":
			w.rest = after
			continue
		case name == ".." || more:
			// A slash after the last name, too: what it leads to is entered.
			if err := w.enter(name, after); err != nil {
				return -1, w.hide(err)
			}
			continue
		}
		fd, done, err := w.last(name)
		if done {
			return fd, err
		}
	}
}

// top has the walk start at "/".
func (w *ownerWalk) top() error {
	fd, err := openat(unix.AT_FDCWD, "/", dirFlags, 0)
	if err != nil {
		return err
	}
	w.move(fd, true)
	return nil
}

// enter goes into the directory name, or on with the text of the link that it is. A directory is asked for first, which has what
// is to be mounted there mounted.
func (w *ownerWalk) enter(name, after string) error {
	fd, err := openat(w.at, name, dirFlags, 0)
	if err == nil {
		w.move(fd, true)
		w.rest = after
		return nil
	}
	if !isErrno(err, unix.ENOTDIR, unix.ELOOP) {
		return err
	}
	link, info, lookErr := w.look(name)
	if lookErr != nil {
		return lookErr
	}
	defer closeFD(link)
	switch {
	case info.IsDir():
		return w.again() // by now
	case !info.IsSymlink():
		return err
	}
	if err := w.trust(&info); err != nil {
		return err
	}
	if !w.magic(&info) {
		return w.follow(link, after)
	}
	if fd, err = openat(w.at, name, dirFlags&^unix.O_NOFOLLOW, 0); err == nil {
		w.move(fd, true)
		w.rest = after
	}
	return err
}

// last opens what the last name stands for. It is not done where that is a link, with whose text the walk goes on.
func (w *ownerWalk) last(name string) (file int, done bool, err error) {
	fd, info, err := w.look(name)
	switch {
	case err == unix.ENOENT && w.flags&unix.O_CREAT != 0:
		return w.settle(name, false) // and if it is there by now, O_NOFOLLOW minds what it is
	case err != nil:
		return -1, true, w.hide(err)
	}
	defer closeFD(fd)
	if !info.IsSymlink() {
		return w.settle(name, info.IsDir())
	}
	if err = w.trust(&info); err != nil {
		return -1, true, w.hide(err)
	}
	if w.magic(&info) {
		if w.confine != nil {
			return -1, true, ErrConfined // it need not lie in any directory
		}
		fd, err := openat(w.at, name, w.flags&^unix.O_NOFOLLOW, w.perm)
		return fd, true, err
	}
	err = w.follow(fd, "")
	return -1, err != nil, w.hide(err)
}

// settle opens name, which is no link, and a directory if dir is set. Should it have become one, the walk looks again.
func (w *ownerWalk) settle(name string, dir bool) (fd int, done bool, err error) {
	fd, err = w.end(name)
	if err == unix.ELOOP || err == unix.ENOTDIR && dir {
		err = w.again()
		return -1, err != nil, err
	}
	return fd, true, err
}

// again has the walk look once more at a name that was something else a moment ago, unless somebody makes a game of that.
func (w *ownerWalk) again() error {
	if w.races++; w.races > maxRaces {
		return unix.ELOOP
	}
	return nil
}

// end opens name where the walk has come to. A handle of a link is never what is asked for.
func (w *ownerWalk) end(name string) (int, error) {
	handle := w.flags&unix.O_PATH != 0
	if !handle { // nothing is made or read outside
		if err := w.inside(w.at); err != nil {
			return -1, err
		}
	}
	fd, err := openat(w.at, name, w.flags, w.perm)
	if err != nil || !handle {
		return fd, w.hide(err)
	}
	var info Info
	if err = w.kernel.stat(fd, "", &info); err == nil {
		switch {
		case info.IsSymlink():
			err = unix.ELOOP
		case info.IsDir():
			err = w.inside(fd)
		default:
			err = w.inside(w.at)
		}
	}
	if err != nil {
		closeFD(fd)
		return -1, err
	}
	return fd, nil
}

// look opens a handle of name and says what it is.
func (w *ownerWalk) look(name string) (fd int, info Info, err error) {
	if fd, err = openat(w.at, name, linkFlags, 0); err != nil {
		return -1, info, err
	}
	if err = w.kernel.stat(fd, "", &info); err != nil {
		closeFD(fd)
	}
	return fd, info, err
}

// trust is an error if the link is not to be followed.
func (w *ownerWalk) trust(link *Info) error {
	if link.UID != 0 && link.UID != uint32(os.Geteuid()) {
		return because(ErrUntrusted, unix.ELOOP)
	}
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	return nil
}

// follow goes on with what the link that fd is a handle of says, as the first name of what is left. after is the rest behind it.
func (w *ownerWalk) follow(fd int, after string) error {
	target, err := readlinkat(fd, "")
	switch {
	case err != nil:
		return err
	case target == "":
		return unix.ENOENT
	case len(target)+len(after) > maxPath:
		return unix.ENAMETOOLONG
	}
	if strings.Contains(w.rest, "/") { // there is a rest, or a slash that asks for a directory
		target += "/" + after
	}
	if w.rest = target; target[0] == '/' {
		return w.top()
	}
	return nil
}

// magic reports whether a link is one of /proc's, which lead to things rather than to names: /dev/stdin is one in the end, and
// what a shell puts in place of <(...). Nobody but the kernel makes such.
func (w *ownerWalk) magic(info *Info) bool {
	var st unix.Statfs_t
	if again(func() error { return unix.Statfs("/proc", &st) }) != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return false
	}
	var proc Info
	return w.kernel.stat(unix.AT_FDCWD, "/proc", &proc) == nil && proc.Dev == info.Dev
}

// hide turns what went wrong outside the confines into ErrConfined, which tells nothing of what is there.
func (w *ownerWalk) hide(err error) error {
	if err == nil || w.confine == nil {
		return err
	}
	if why := w.inside(w.at); why != nil {
		return why
	}
	return err
}

// inside is an error if the directory dir is not the one to stay in, nor below it, as the kernel has it now.
func (w *ownerWalk) inside(dir int) error {
	if w.confine == nil {
		return nil
	}
	at, owned := dir, false
	defer func() {
		if owned {
			closeFD(at)
		}
	}()
	var here, above Info
	if at == unix.AT_FDCWD {
		fd, err := openat(at, ".", dirFlags, 0)
		if err != nil {
			return err
		}
		at, owned = fd, true
	}
	err := w.kernel.stat(at, "", &here)
	for range maxPath {
		if err != nil {
			return err
		}
		if here.Dev == w.confine.Dev && here.Ino == w.confine.Ino {
			return nil
		}
		fd, err := openat(at, "..", dirFlags, 0)
		if err != nil {
			return because(ErrConfined, err)
		}
		if owned {
			closeFD(at)
		}
		at, owned = fd, true
		if err := w.kernel.stat(at, "", &above); err != nil {
			return err
		}
		if above.Dev == here.Dev && above.Ino == here.Ino {
			break // "/" is above itself
		}
		here = above
	}
	return ErrConfined
}
