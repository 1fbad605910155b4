package install

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/player"
)

// Kind is what stands at a place.
type Kind uint8

// The kinds.
const (
	Absent Kind = iota
	File
	Folderlike // a directory, or a link to one
	Link
	Other
)

// Place is what is found at one name below the player's root.
type Place struct {
	Kind   Kind
	Mode   fs.FileMode // permissions, of a File
	Size   int64       // of a File
	Inode  uint64      // of a File: equal inodes are one file under two names
	Target string      // of a Link
	Text   []byte      // of a File below 64 KiB
	Sum    string      // of a larger File: SHA-256 in hexadecimal
	Extra  []string    // of a folder of ours: what lies in it beyond what is laid there
}

// textLimit bounds what counts as a script or a configuration, in bytes.
const textLimit = 64 << 10

// Space is what a file system has left.
type Space struct {
	Free  int64 // bytes
	Files int64 // how many files more it can hold; -1 where there is no fixed number
}

// Process is a running program.
type Process struct {
	PID  int
	Name string
}

// Source is the program that is to be laid down.
type Source struct {
	Path string // on this machine
	Size int64
	Sum  string // SHA-256 in hexadecimal
	Binary
}

// Observed is what Observe has found.
type Observed struct {
	System  bool     // the root is the running system's own
	Machine Machine  // of the running system
	Shell   *Binary  // what kind of program /bin/sh is, nil if unknown
	Kernels []string // versions that the root has modules for
	Source  Source
	Bin     string // folder of the links: /bin

	Places map[string]Place
	Drives []string // drive0, drive1: those that are there
	Drive0 bool     // /drive0 is a player's drive
	Root   Space
	Drive  Space // of /drive0

	Running   []Process // started from the installed program or the one before it
	OldRuns   bool      // one of them from the one before
	Self      bool      // this process is one of them
	Leftovers []string  // temporary files of an installation that was cut off
}

// Observe looks at the player below root. source is the program to lay down, a
// file on this machine; "" for none (to uninstall). Nothing is changed.
func Observe(root, source string, guard *mounts.Guard) (Observed, error) {
	o := Observed{Places: map[string]Place{}, System: filepath.Clean(root) == "/"}
	p, err := player.Open(root, guard)
	if err != nil {
		return o, err
	}
	tree, err := os.OpenRoot(p.Root())
	if err != nil {
		return o, err
	}
	defer tree.Close()
	if o.Machine, err = runningMachine(); err != nil {
		return o, err
	}
	if source != "" {
		if o.Source, err = readSource(source); err != nil {
			return o, err
		}
	}
	look := looker{tree: tree}
	o.Bin = look.binFolder()
	for _, name := range places(o.Bin) {
		o.Places[name] = look.place(name)
	}
	o.Shell, o.Kernels = look.shell(), look.kernels()
	if look.err != nil {
		return o, look.err
	}
	if err := o.observeDrives(p, &look); err != nil {
		return o, err
	}
	o.Leftovers = slices.DeleteFunc(look.leftovers(o.Bin), func(name string) bool {
		return sameFile(filepath.Join(p.Root(), name), source) // install.sh's copy, which runs just now
	})
	if o.System {
		o.observeProcesses(look)
	}
	return o, look.err
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// observeDrives looks which drives are there, and at the room on them.
func (o *Observed) observeDrives(p *player.Player, look *looker) error {
	drives, err := p.Drives()
	if err != nil {
		return err
	}
	for _, d := range drives {
		o.Drives = append(o.Drives, d.Name)
		o.Drive0 = o.Drive0 || d.Name == "drive0"
	}
	if o.Root, err = space(p.Root()); err != nil {
		return err
	}
	o.Drive = o.Root
	if o.Drive0 {
		o.Drive, err = space(drives[0].Path)
	}
	return err
}

// space asks statfs(2).
func space(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, fmt.Errorf("statfs %s: %w", dir, err)
	}
	s := Space{Free: int64(min(st.Bavail, 1<<40)) * int64(st.Bsize), Files: -1}
	if st.Files > 0 {
		s.Files = int64(min(st.Ffree, 1<<40))
	}
	return s, nil
}

// runningMachine asks uname(2) and /proc/cpuinfo.
func runningMachine() (Machine, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Machine{}, fmt.Errorf("uname: %w", err)
	}
	m := Machine{Arch: unix.ByteSliceToString(name.Machine[:]), Kernel: unix.ByteSliceToString(name.Release[:])}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil { // without /proc, uname has to do
		m.CPU, m.Version = ParseCPU(text)
	}
	return m, nil
}

// readSource looks at the program to lay down.
func readSource(name string) (Source, error) {
	f, err := os.Open(name)
	if err != nil {
		return Source{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Source{}, err
	}
	if !info.Mode().IsRegular() {
		return Source{}, fmt.Errorf("%s is not a file", name)
	}
	s := Source{Path: name, Size: info.Size()}
	if s.Binary, err = ReadBinary(f); err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	s.Sum, err = sum(f)
	return s, err
}

func sum(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// observeProcesses finds those that run the installed program, or the one before.
func (o *Observed) observeProcesses(look looker) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return // nothing can be said
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Stat(filepath.Join("/proc", e.Name(), "exe"))
		if err != nil {
			continue
		}
		for _, name := range []string{Program, OldProgram} {
			_, info := look.inside(name, false)
			if info == nil || !os.SameFile(info, exe) {
				continue
			}
			if pid == os.Getpid() {
				o.Self = true
				continue
			}
			command, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "comm")) // for a message only
			o.Running = append(o.Running, Process{pid, strings.TrimSpace(string(command))})
			o.OldRuns = o.OldRuns || name == OldProgram
		}
	}
}
