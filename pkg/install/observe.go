package install

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

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

// looker looks at places and keeps the first error.
type looker struct {
	tree *os.Root
	err  error
}

func (l *looker) fail(err error) {
	if err != nil && l.err == nil {
		l.err = err
	}
}

// inside resolves a name; of a link, what it leads to if follow, else the link.
func (l *looker) inside(name string, follow bool) (string, fs.FileInfo) {
	at := name
	if !follow {
		at = path.Dir(name)
	}
	rel, err := mounts.Inside(l.tree, at)
	if err == nil && !follow {
		rel = path.Join(rel, path.Base(name))
	}
	var info fs.FileInfo
	if err == nil {
		info, err = l.tree.Lstat(rel)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.fail(err)
	}
	if err != nil {
		return "", nil
	}
	return rel, info
}

// place looks at one name.
func (l *looker) place(name string) Place {
	rel, info := l.inside(name, false)
	switch {
	case info == nil:
		return Place{}
	case info.IsDir():
		return Place{Kind: Folderlike, Extra: l.extra(name, rel)}
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := l.tree.Readlink(rel)
		l.fail(err)
		if _, to := l.inside(name, true); to != nil && to.IsDir() {
			return Place{Kind: Folderlike, Target: target}
		}
		return Place{Kind: Link, Target: target}
	case info.Mode().IsRegular():
		return l.file(rel, info)
	}
	return Place{Kind: Other}
}

func (l *looker) file(rel string, info fs.FileInfo) Place {
	p := Place{Kind: File, Mode: info.Mode().Perm(), Size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		p.Inode = uint64(st.Ino)
	}
	f, err := l.tree.Open(rel)
	if err != nil {
		l.fail(err)
		return p
	}
	defer f.Close()
	if p.Size < textLimit {
		p.Text, err = io.ReadAll(io.LimitReader(f, textLimit))
	} else {
		p.Sum, err = sum(f)
	}
	l.fail(err)
	return p
}

// extra lists what a folder of ours holds that nobody here has laid there.
func (l *looker) extra(name, rel string) []string {
	if name != Folder && name != playerFolder {
		return nil
	}
	var found []string
	for _, entry := range l.names(rel) {
		full := path.Join(name, entry)
		known := strings.Contains(entry, tempMark)
		for _, place := range places("/bin") {
			known = known || place == full
		}
		if !known {
			found = append(found, full)
		}
	}
	return found
}

func (l *looker) names(rel string) []string {
	dir, err := l.tree.Open(rel)
	if err != nil {
		l.fail(err)
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	l.fail(err)
	return names
}

// binFolder is the folder on the path of every shell.
func (l *looker) binFolder() string {
	for _, name := range []string{"/bin", "/usr/bin"} {
		if _, info := l.inside(name, true); info != nil && info.IsDir() {
			return name
		}
	}
	return "/bin"
}

// shell looks what kind of programs the root has.
func (l *looker) shell() *Binary {
	for _, name := range []string{"/bin/sh", "/bin/init", "/bin/mount"} {
		rel, info := l.inside(name, true)
		if info == nil || !info.Mode().IsRegular() {
			continue
		}
		f, err := l.tree.Open(rel)
		if err != nil {
			continue
		}
		b, err := ReadBinary(f)
		f.Close()
		if err == nil {
			return &b
		}
	}
	return nil
}

// kernels lists the versions that modules are there for.
func (l *looker) kernels() []string {
	rel, info := l.inside("/lib/modules", true)
	if info == nil || !info.IsDir() {
		return nil
	}
	return l.names(rel)
}

// leftovers finds the temporary files of an installation that was cut off.
func (l *looker) leftovers(bin string) []string {
	var found []string
	seen := map[string]bool{}
	for _, name := range places(bin) {
		dir := path.Dir(name)
		rel, info := l.inside(dir, true)
		if info == nil || !info.IsDir() || seen[rel] {
			continue
		}
		seen[rel] = true
		for _, entry := range l.names(rel) {
			if strings.HasPrefix(entry, ".") && strings.Contains(entry, tempMark) {
				found = append(found, path.Join(dir, entry))
			}
		}
	}
	return found
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
