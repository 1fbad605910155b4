package daemon

import (
	"fmt"
	"path"

	"github.com/empegsync/empegsync/pkg/rsync/chmod"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// adapt makes of a transfer what the module wants of it, whatever the client
// has asked for (clientserver.c:rsync_module).
func (t *served) adapt(link *transfer.Link) error {
	m := t.module
	switch m.OpenNoatime {
	case conf.Yes:
		t.opt.OpenNoatime = true
	case conf.No:
		t.opt.OpenNoatime = false
	}
	transfer.CapMemory(t.opt)
	t.opt.MungeLinks = m.MungeSymlinks == conf.Yes
	link.TrimLinks = t.trimLinks
	if m.IgnoreErrors {
		t.opt.IgnoreErrors = true
	}
	switch {
	case m.FakeSuper:
		t.opt.Super = options.SuperFake
	case t.opt.Super == options.SuperFake: // attributes that clients have written are not trusted
		t.opt.Super = options.SuperYes
	}
	if t.opt.TempDir == "" {
		t.opt.TempDir = m.TempDir
	}
	t.opt.TempDir, t.opt.BackupDir = below(t.opt.TempDir), below(t.opt.BackupDir)
	text := m.IncomingChmod
	if t.opt.Sender {
		text = m.OutgoingChmod
	}
	if text == "" {
		return nil
	}
	modes, err := chmod.Parse(text, t.Umask)
	if err != nil {
		return fmt.Errorf("module %q: %w", m.Name, err)
	}
	link.Chmod, link.ChmodAll = modes, !t.opt.Sender
	return nil
}

// below keeps a relative folder from climbing above the destination
// (options.c:parse_arguments, sanitize_path). Those of --link-dest and its kin
// may climb up to the module.
func below(dir string) string {
	if dir == "" || path.IsAbs(dir) {
		return dir
	}
	return path.Join(".", path.Clean("/" + dir)[1:])
}
