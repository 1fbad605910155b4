package rootfs

import (
	"io/fs"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	// nameMax is the longest component in bytes on nearly every Linux file system (NAME_MAX).
	nameMax = 255
	// shortMax is tried where nameMax is too long after all: file systems that encode names, such as eCryptfs, allow 143.
	shortMax = 140
	// tempTries is how many names are tried before we believe that somebody occupies them on purpose.
	tempTries = 100

	tempLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tempRandom  = 4 // letters drawn at random
	tempCheck   = 2 // letters computed from the rest of the name
	tempSuffix  = 1 + tempRandom + tempCheck
)

// Temp is a new file under a temporary name, to be filled and then put in place in one step. It has all methods of File; what
// ends it is Commit or Abort, and Close alone only gives the descriptor back early.
type Temp struct {
	File
	dir  *dir // where it lies; nil once committed or aborted
	base string
}

// CreateTemp creates a file, mode 0600, in the directory of path under a name made from path's last component (see
// IsTempName). path is the name it is meant to get in the end; nothing there is touched before Commit. The file never
// existed before and nobody's link is followed (O_EXCL).
func (r *Root) CreateTemp(path string) (*Temp, error) {
	t := &Temp{File: File{root: r, path: path, fd: -1}}
	err := r.fresh("create temporary file", path, func(d *dir, base string) (err error) {
		const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
		t.base, err = withTempName(base, func(name string) (err error) {
			t.fd, err = openat(d.fd, name, flags, 0o600)
			return err
		})
		if err == nil {
			t.dir = d.retain()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// TempPath returns the temporary file's path relative to the root.
func (t *Temp) TempPath() string {
	dir, _ := split(t.path)
	return join(dir, t.base)
}

// Commit closes the file and renames it to path, replacing what is there in one step; a directory is not replaced, that is an
// error for which errors.Is(err, syscall.EISDIR) holds. path is as a rule the one given to CreateTemp, and must lie on the
// same file system. If any step fails, the temporary file is removed.
func (t *Temp) Commit(path string) error { return t.commit(path, t.rename, nil) }

// commit closes the file and has rename give it its name. After an error it is removed, unless stays wants it kept.
func (t *Temp) commit(path string, rename func(op, path string) error, stays func(error) bool) error {
	const op = "replace"
	if t.dir == nil {
		return pathError(op, path, fs.ErrClosed)
	}
	var err error
	if t.fd >= 0 {
		err = t.Close()
	}
	if err == nil {
		err = rename(op, path)
	}
	if err != nil && stays != nil && stays(err) {
		return err
	}
	if err != nil {
		t.discard()
		return err
	}
	t.dir.release()
	t.dir = nil
	return nil
}

func (t *Temp) rename(op, path string) error {
	if path == t.path { // the directory is at hand, and surely still the one the file is in
		_, base := split(path)
		return pathError(op, path, again(func() error { return unix.Renameat(t.dir.fd, t.base, t.dir.fd, base) }))
	}
	return t.root.entry(op, path, true, func(d *dir, base string) error {
		return again(func() error { return unix.Renameat(t.dir.fd, t.base, d.fd, base) })
	})
}

// Abort closes and removes the file. After Commit, or a second time, it does nothing, so it can be deferred.
func (t *Temp) Abort() error {
	if t.dir == nil {
		return nil
	}
	if t.fd >= 0 {
		closeFD(t.fd)
		t.fd = -1
	}
	return pathError("remove", t.TempPath(), t.discard())
}

// discard removes the name and lets go of the directory.
func (t *Temp) discard() error {
	err := unlink(t.dir.fd, t.base, 0)
	t.dir.release()
	t.dir = nil
	return err
}

// withTempName calls make with temporary names for base until one is free, and returns that name.
func withTempName(base string, make func(name string) error) (string, error) {
	limit := nameMax
	for range tempTries {
		name := tempName(base, limit)
		err := make(name)
		switch {
		case err == nil:
			return name, nil
		case err == unix.ENAMETOOLONG && limit == nameMax:
			limit = shortMax
		case err != unix.EEXIST:
			return "", err
		}
	}
	return "", unix.EEXIST
}

// tempName makes ".BASE.XXXXXX" of at most limit bytes; base is cut where it must be, not inside a UTF-8 character.
func tempName(base string, limit int) string {
	if room := limit - 1 - tempSuffix; len(base) > room {
		cut := room
		for cut > room-utf8.UTFMax && !utf8.RuneStart(base[cut]) {
			cut--
		}
		base = base[:cut]
	}
	var random [tempRandom]byte
	bits := rand.Uint64()
	for i := range random {
		random[i] = tempLetters[bits%uint64(len(tempLetters))]
		bits /= uint64(len(tempLetters))
	}
	name := "." + base + "." + string(random[:])
	return name + tempSum(name)
}

// tempSum computes the check letters of a temporary name: FNV-1a over all before them, in base 62.
func tempSum(name string) string {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	n := uint32(len(tempLetters))
	return string([]byte{tempLetters[h%n], tempLetters[h/n%n]})
}

// IsTempName reports whether name, a single component, is one that CreateTemp or a Replace method made, so that what a killed
// run left behind can be recognised. The form is rsync's own, a dot, the file's name (cut to fit), a dot and six letters or
// digits, but the last two are a check over the rest: a name such as ".bashrc.backup" passes by chance once in 3844.
// rsync's own leftovers are not recognised.
func IsTempName(name string) bool {
	if len(name) < 1+1+tempSuffix || len(name) > nameMax || name[0] != '.' || name[len(name)-tempSuffix] != '.' {
		return false
	}
	for _, c := range []byte(name[len(name)-tempSuffix+1:]) {
		if strings.IndexByte(tempLetters, c) < 0 {
			return false
		}
	}
	return tempSum(name[:len(name)-tempCheck]) == name[len(name)-tempCheck:]
}
