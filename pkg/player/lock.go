package player

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked is what Lock answers while another process works on the same player.
var ErrLocked = errors.New("another pull or reindex is at work")

// Lock is held by the one process that may change a player's drives.
type Lock struct{ dir *os.File }

// Lock takes the player for a pull or a reindex, or answers ErrLocked at once.
//
// The lock is flock(2) on the player's root directory itself. So there is no file
// to be left over or to be put in the way by somebody else, it works on a
// read-only root and for every user alike, and it keeps no drive from being
// remounted. It ends with the process, however that ends.
func (p *Player) Lock() (*Lock, error) {
	dir, err := os.Open(p.root)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return &Lock{dir: dir}, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w%s; wait until it has ended", ErrLocked, holder(dir))
	}
	dir.Close()
	return nil, fmt.Errorf("lock %s: %w", p.root, err)
}

// Unlock gives the player free. A second call returns an error.
func (l *Lock) Unlock() error { return l.dir.Close() }

// holder says who has the lock, as far as /proc tells.
func holder(dir *os.File) string {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return ""
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	pid := lockHolder(string(table), uint64(st.Dev), uint64(st.Ino))
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// lockHolder finds the process that holds flock(2) on a file; 0 if unknown. A
// line of /proc/locks, as proc_locks(5) has it:
//
//	1: FLOCK  ADVISORY  WRITE 3066 08:01:131 0 EOF
func lockHolder(table string, dev, ino uint64) int {
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), ino)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != file {
			continue // also those that wait: their second field is ->
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
