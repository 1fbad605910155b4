package restricted

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Versions is the folder below an append-only directory in which what has been
// replaced is kept: a folder for each session, called by the time of its start,
// and in that the paths as they were.
const Versions = ".versions"

// partials is where files that were transferred in part wait, below [Versions].
const partials = "partial"

// keepVersions has the transfer put aside what it replaces.
func (p *places) keepVersions(d *Dir, dest string, opt *options.Options) error {
	dir, err := p.versionsOf(d.tree.Root, dest)
	if err != nil {
		return err
	}
	session, err := newSession(d.tree.Root, p.key.now())
	if err != nil {
		return err
	}
	p.kept = path.Join("/", Versions, session, dir)
	opt.Backup, opt.BackupDir, opt.Suffix = true, p.kept, ""
	if opt.Partial {
		opt.SetPartialDir(path.Join("/", Versions, partials))
	}
	return nil
}

// granted reports the folders that we have named in options ourselves.
func (p *places) granted(dir string) bool {
	return p.kept != "" && (dir == p.kept || dir == path.Join("/", Versions, partials))
}

// versionsOf returns the folder that the paths of the transfer start from. Links
// on the way are refused: one could lead to where the versions are.
func (p *places) versionsOf(root *rootfs.Root, dest string) (string, error) {
	clean := strings.TrimSuffix(dest, "/")
	if clean == "" {
		return "", nil
	}
	if clean == Versions || strings.HasPrefix(clean, Versions+"/") {
		return "", refuse("%q is where this key's older versions are kept", dest)
	}
	for i := range len(clean) + 1 {
		if i < len(clean) && clean[i] != '/' {
			continue
		}
		info, exists, err := lookAt(root, clean[:i])
		switch {
		case err != nil:
			return "", fmt.Errorf("look at the destination: %w", err)
		case !exists:
			return clean, nil // nothing is there that could be replaced
		case info.IsSymlink():
			return "", refuse("%q is a link: name the folder that it leads to", clean[:i])
		case i == len(clean) && !info.IsDir():
			return path.Dir(clean), nil
		}
	}
	return clean, nil
}

// maxSessions is how many sessions may start within a second.
const maxSessions = 1000

// newSession finds a name for a session's versions that no other has.
func newSession(root *rootfs.Root, now time.Time) (string, error) {
	first := now.UTC().Format(time.RFC3339)
	name := first
	for n := 2; n <= maxSessions; n++ {
		_, exists, err := lookAt(root, Versions+"/"+name)
		if err != nil {
			return "", fmt.Errorf("look at the older versions: %w", err)
		}
		if !exists {
			return name, nil
		}
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return "", fmt.Errorf("there are %d sessions of %s already", maxSessions, first)
}

// keeping are a client's rules where older versions are kept: nothing may be
// put among them.
type keeping struct {
	*transfer.ClientRules
	prefix string // of the destination
}

func (k *keeping) among(p string) bool {
	full := path.Join(k.prefix, p)
	return full == Versions || strings.HasPrefix(full, Versions+"/")
}

// Refused implements [transfer.Rules].
func (k *keeping) Refused(p string, isDir bool) bool {
	return k.among(p) || k.ClientRules.Refused(p, isDir)
}

// Protected implements [transfer.Rules].
func (k *keeping) Protected(p string, isDir, doomed bool) bool {
	return k.among(p) || k.ClientRules.Protected(p, isDir, doomed)
}
