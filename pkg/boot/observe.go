package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"regexp"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// The files that boot looks after, as the player names them.
const (
	hostsFile  = "/etc/hosts"
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

// fileLimit bounds each file that is read, in bytes. A player's are below 10 KB.
const fileLimit = 1 << 20

// Observed is what Observe has found.
type Observed struct {
	System     *SystemState // nil if only files are looked after
	PlayerName string       // name= of the player's config.ini in UTF-8, "" if unknown

	// A nil file could not be read and is left alone.
	Hosts, Passwd, Group *File

	// Leftovers are temporary files of an earlier run that the power cut
	// ended, below the root.
	Leftovers []string
}

// SystemState is the part of Observed that belongs to the running system.
type SystemState struct {
	Loopback *Loopback  // nil if unknown
	Hostname string     // "(none)" if it was never set, "" if unknown
	Address  netip.Addr // the zero Addr if there is none yet
}

// Loopback tells how the interface lo is set up.
type Loopback struct {
	Up    bool
	IPv4  bool // has 127.0.0.1/8
	IPv6  bool // has ::1/128
	NoIP6 bool // the kernel has no IPv6, or it is disabled
}

// File is a file that boot may change.
type File struct {
	Name    string // as the player names it: /etc/hosts
	Present bool
	Data    []byte
}

// Observe reads the state of the files below root and, unless sys is nil, of the
// running system. A part that cannot be read is left out, and named in the
// error; Observed is good to plan with all the same. Nothing is changed.
func Observe(sys System, root string) (Observed, error) {
	var o Observed
	var errs []error
	if sys != nil {
		state, err := observeSystem(sys)
		o.System = &state
		errs = append(errs, err)
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return o, errors.Join(append(errs, err)...)
	}
	defer tree.Close()
	o.PlayerName, err = observePlayerName(tree)
	errs = append(errs, err)
	if err := wantEtc(tree); err != nil {
		return o, errors.Join(append(errs, err)...)
	}
	for _, look := range []struct {
		name string
		file **File
	}{{hostsFile, &o.Hosts}, {passwdFile, &o.Passwd}, {groupFile, &o.Group}} {
		file, leftovers, err := observeFile(tree, look.name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		*look.file, o.Leftovers = file, append(o.Leftovers, leftovers...)
	}
	return o, errors.Join(errs...)
}

func observeSystem(sys System) (SystemState, error) {
	var state SystemState
	var errs []error
	if lo, err := sys.Loopback(); err != nil {
		errs = append(errs, fmt.Errorf("look at the loopback interface: %w", err))
	} else {
		state.Loopback = &lo
	}
	var err error
	if state.Hostname, err = sys.Hostname(); err != nil {
		errs = append(errs, fmt.Errorf("read the host name: %w", err))
	}
	if state.Address, err = sys.Address(); err != nil {
		errs = append(errs, fmt.Errorf("look for the own address: %w", err))
	}
	return state, errors.Join(errs...)
}

// wantEtc says in one line, not three, that root is not a root file system.
func wantEtc(tree *os.Root) error {
	name, err := mounts.Inside(tree, "/etc")
	if err != nil {
		return err
	}
	if info, err := tree.Stat(name); err != nil || !info.IsDir() {
		return fmt.Errorf("%s has no directory etc: is it a player's root?", tree.Name())
	}
	return nil
}

// observePlayerName looks where the player keeps its configuration: at the link,
// or, if that is missing, at the place it usually leads to.
func observePlayerName(tree *os.Root) (string, error) {
	for _, name := range []string{"/empeg/var/config.ini", "/drive0/var/config.ini"} {
		file, err := readInside(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("look up the player's name: %w", err)
		}
		return ParsePlayerName(file), nil
	}
	return "", nil
}

// observeFile reads one file and looks for leftovers beside it.
func observeFile(tree *os.Root, name string) (*File, []string, error) {
	file := &File{Name: name, Present: true}
	var err error
	file.Data, err = readInside(tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		file.Present, err = false, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rel, err := mounts.Inside(tree, name)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: a link that leads nowhere: %w", name, err)
	}
	leftovers, err := findLeftovers(tree, rel)
	return file, leftovers, err
}

// findLeftovers lists the temporary files of the file rel.
func findLeftovers(tree *os.Root, rel string) ([]string, error) {
	dir, err := tree.Open(path.Dir(rel))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pattern := regexp.MustCompile(`^\.` + regexp.QuoteMeta(path.Base(rel)) + `\.empegsync-[0-9a-f]{8}$`)
	var found []string
	for _, name := range names {
		if pattern.MatchString(name) {
			found = append(found, "/"+path.Join(path.Dir(rel), name))
		}
	}
	return found, nil
}

// readInside reads a regular file of at most fileLimit bytes.
func readInside(tree *os.Root, name string) ([]byte, error) {
	rel, err := mounts.Inside(tree, name)
	if err != nil {
		return nil, err
	}
	f, err := openRegular(tree, rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, name)
}

// openRegular opens a file without following a link and without waiting for the
// other end of a named pipe.
func openRegular(tree *os.Root, rel string) (*os.File, error) {
	f, err := tree.OpenFile(rel, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("/%s: not a regular file (%s)", rel, info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func readAll(f io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err == nil && len(data) > fileLimit {
		err = fmt.Errorf("longer than %d bytes", fileLimit)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
