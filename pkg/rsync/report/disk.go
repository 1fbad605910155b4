package report

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// place is the folder of a module as the daemon sees it, "" where it depends on
// the client.
func place(m *conf.Module) string {
	if strings.Contains(m.Path, "%") {
		return ""
	}
	return path.Clean(m.Path)
}

// lookAtDisks asks the file systems below the modules.
func (b *Book) lookAtDisks(cfg *conf.Config) {
	disks := map[string]disk{}
	for i := range cfg.Modules {
		name := place(&cfg.Modules[i])
		if _, known := disks[name]; known || name == "" {
			continue
		}
		var fs unix.Statfs_t
		if err := unix.Statfs(name, &fs); err != nil {
			disks[name] = disk{err: err}
			continue
		}
		disks[name] = disk{free: int64(fs.Bavail) * int64(fs.Bsize), size: int64(fs.Blocks) * int64(fs.Bsize)}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	b.disks = disks
}
