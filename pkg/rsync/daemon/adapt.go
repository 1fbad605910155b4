package daemon

import (
	"fmt"

	"github.com/empegsync/empegsync/pkg/rsync/chmod"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
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
	t.opt.MungeLinks = m.MungeSymlinks == conf.Yes
	link.TrimLinks = t.trimLinks
	if m.IgnoreErrors {
		t.opt.IgnoreErrors = true
	}
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
