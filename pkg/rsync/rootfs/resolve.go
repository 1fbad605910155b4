package rootfs

import (
	"strings"

	"golang.org/x/sys/unix"
)

const (
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS

	// maxLinks is how many symbolic links Sub follows before it takes them for a loop, as the kernel does.
	maxLinks = 40
	// maxRaces is how often the kernel may answer that a rename elsewhere kept it from proving a ".." safe.
	maxRaces = 32
)

// dir returns a handle of the directory path, which must have been checked, and whether it came from the cache. The caller
// releases it.
func (r *Root) dir(path string) (d *dir, cached bool, err error) {
	if path == "." {
		d, err = r.cache.top() // never stale: the root is the directory that was opened
		return d, false, err
	}
	from, generation, err := r.cache.get(path)
	if err != nil {
		return nil, false, err
	}
	if from.path == path {
		return from, true, nil
	}
	defer from.release()
	if g := r.cache.grafted(path); g != nil {
		if d, err = r.dirInGraft(g, path); err != nil {
			return nil, false, err
		}
		r.cache.put(d, generation)
		return d, false, nil
	}

	var fd int
	if f := r.follow; f != nil {
		fd, err = r.openFollow(f.top.fd, f.full(path), dirFlags, f.links)
	} else if r.kernel.noOpenat2.Load() {
		rest := path
		if from.path != "." {
			rest = path[len(from.path)+1:]
		}
		fd, err = walkDir(from.fd, rest)
	} else {
		fd, err = r.openBeneath(path)
	}
	if err != nil {
		return nil, false, err
	}
	d = newDir(fd, path)
	r.cache.put(d, generation)
	return d, false, nil
}

// openBeneath resolves path from the root in one system call that refuses every symbolic link.
func (r *Root) openBeneath(path string) (int, error) {
	top, err := r.cache.top()
	if err != nil {
		return -1, err
	}
	defer top.release()
	fd, err := openat2(top.fd, path, beneath|unix.RESOLVE_NO_SYMLINKS)
	if err == unix.ELOOP {
		err = because(ErrSymlink, err)
	}
	return fd, err
}

// walkDir resolves path below fd one component at a time, for kernels without openat2. No component is followed if it is a
// link, and each is opened relative to the directory before, so a rename under way cannot lead astray.
func walkDir(fd int, path string) (int, error) {
	at, owned := fd, false
	for {
		name, rest, more := strings.Cut(path, "/")
		next, err := openat(at, name, dirFlags, 0)
		if err != nil {
			err = linkInTheWay(at, name, err)
		}
		if owned {
			closeFD(at)
		}
		if err != nil || !more {
			return next, err
		}
		at, owned, path = next, true, rest
	}
}

// linkInTheWay makes the error of opening name clear when the reason is that name is a symbolic link.
func linkInTheWay(dirfd int, name string, err error) error {
	switch err {
	case unix.ELOOP:
		return because(ErrSymlink, err)
	case unix.ENOTDIR:
		var st unix.Stat_t
		if unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return because(ErrSymlink, unix.ELOOP)
		}
	}
	return err
}

// openStep opens the directory name, or reads the link that it is: either fd or target is set.
func openStep(dirfd int, name string) (fd int, target string, err error) {
	fd, err = openat(dirfd, name, dirFlags, 0)
	if err == nil {
		return fd, "", nil
	}
	if isErrno(err, unix.ENOTDIR, unix.ELOOP) {
		target, linkErr := readlinkat(dirfd, name)
		if linkErr == nil && target != "" {
			return -1, target, nil
		}
	}
	return -1, "", err
}
