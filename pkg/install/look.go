package install

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/mounts"
)

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
