package mounts

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How long a restore waits for a busy mount: somebody may just be closing a
// file.
const (
	busyTries = 10
	busyPause = 200 * time.Millisecond
)

// Guard makes mounts writable and read-only again. It is safe for concurrent
// use; a restore that waits for a busy mount (at most two seconds) holds up the
// others.
type Guard struct {
	kernel Kernel
	log    *slog.Logger
	pause  func(time.Duration)

	mu   sync.Mutex
	held map[string]*hold
}

// hold is a read-only layer (one mount, or a whole file system) that this Guard
// has made writable.
type hold struct {
	key   string
	mount Mount // as it was found
	super bool  // the file system, not the mount alone
	users int
}

// NewGuard makes a Guard. Log gets a debug line for each remount; nil is silent.
func NewGuard(kernel Kernel, log *slog.Logger) *Guard {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Guard{kernel: kernel, log: log, pause: time.Sleep, held: map[string]*hold{}}
}

// Writable sees to it that files at path, which exists, can be written.
//
// If the mount is writable already, nothing is done, changed is false and
// restore does nothing. Otherwise the mount is remounted writable with all its
// other flags kept, changed is true, and restore writes everything out and makes
// it read-only again, unless somebody else still holds it. Restore must be
// called once in any case, with the files closed; later calls return the same
// result. On error nothing has been changed and restore is nil.
func (g *Guard) Writable(path string) (restore func() error, changed bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	path, err = realPath(path)
	if err != nil {
		return nil, false, err
	}
	readOnly, err := g.kernel.ReadOnly(path)
	if err != nil {
		return nil, false, err
	}
	nothing := func() error { return nil }
	if !readOnly && len(g.held) == 0 {
		return nothing, false, nil
	}
	m, err := g.find(path)
	if err != nil && !readOnly {
		return nothing, false, nil // not a mount of ours: those could be found
	}
	if err != nil {
		return nil, false, err
	}
	if err := g.unlock(m); err != nil {
		return nil, false, err
	}
	holds := g.take(m)
	return sync.OnceValue(func() error { return g.release(holds) }), len(holds) > 0, nil
}

// find looks up the mount of a path free of links.
func (g *Guard) find(path string) (Mount, error) {
	text, err := g.kernel.Mountinfo()
	if err != nil {
		return Mount{}, fmt.Errorf("find the mount of %s: %w", path, err)
	}
	all, err := Parse(text)
	if err != nil {
		return Mount{}, fmt.Errorf("find the mount of %s: %w", path, err)
	}
	m, ok := Holding(all, path)
	if !ok {
		return Mount{}, fmt.Errorf("find the mount of %s: none is listed in /proc/self/mountinfo (a chroot?)", path)
	}
	return m, nil
}

// unlock remounts m writable where it is read-only now.
func (g *Guard) unlock(m Mount) error {
	flags := m.mountFlags()
	switch {
	case m.SuperReadOnly():
		flags |= m.superFlags() // without MS_BIND: the mount's own ro goes too
	case m.MountReadOnly():
		flags |= unix.MS_BIND
	default:
		return nil
	}
	g.log.Debug("remount writable", "mount", m.Point)
	if err := g.kernel.Remount(m.Point, flags); err != nil {
		return fmt.Errorf("remount %s writable: %w%s", m.Point, err, writableHint(err))
	}
	return nil
}

// take counts the caller in on each layer of m that is, or was, read-only. The
// mount comes before the file system, the order in which they are released.
func (g *Guard) take(m Mount) []*hold {
	var holds []*hold
	layers := []struct {
		key      string
		super    bool
		readOnly bool
	}{
		{fmt.Sprintf("mount %d", m.ID), false, m.MountReadOnly()},
		{"device " + m.Device, true, m.SuperReadOnly()},
	}
	for _, layer := range layers {
		h := g.held[layer.key]
		if h == nil && layer.readOnly {
			h = &hold{key: layer.key, mount: m, super: layer.super}
			g.held[layer.key] = h
		}
		if h != nil {
			h.users++
			holds = append(holds, h)
		}
	}
	return holds
}

// release counts the caller out and locks the layers that nobody holds any more.
func (g *Guard) release(holds []*hold) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, h := range holds {
		if h.users--; h.users > 0 {
			continue
		}
		delete(g.held, h.key)
		errs = append(errs, g.lock(h))
	}
	return errors.Join(errs...)
}

// lock writes everything out and makes the layer read-only again.
func (g *Guard) lock(h *hold) error {
	point := h.mount.Point
	syncErr := g.kernel.Sync(point) // an error is told; read-only is still safer
	flags := h.mount.mountFlags() | unix.MS_RDONLY
	if h.super {
		flags |= h.mount.superFlags()
	} else {
		flags |= unix.MS_BIND
	}
	g.log.Debug("remount read-only", "mount", point)
	if err := g.remountBusy(point, flags); err != nil {
		return errors.Join(syncErr, err)
	}
	if h.super && !h.mount.MountReadOnly() {
		// The remount has set the mount's own ro as well; it was not there before.
		if err := g.kernel.Remount(point, h.mount.mountFlags()|unix.MS_BIND); err != nil {
			syncErr = errors.Join(syncErr, fmt.Errorf("remount %s as it was: %w", point, err))
		}
	}
	return syncErr
}

// remountBusy remounts read-only and gives those who still write a moment.
func (g *Guard) remountBusy(point string, flags uintptr) error {
	var err error
	for try := range busyTries {
		if try > 0 {
			g.pause(busyPause)
		}
		if err = g.kernel.Remount(point, flags); !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, unix.EBUSY):
		return fmt.Errorf("remount %s read-only: %w; it is still writable", point, err)
	}
	who := "some process has a file open for writing there"
	if writers := g.kernel.Writers(point); len(writers) > 0 {
		who = "open for writing: " + strings.Join(writers, ", ")
	}
	return fmt.Errorf("remount %s read-only: %w; it is still writable: %s; end that program, then: mount -o remount,ro %s",
		point, err, who, point)
}

// writableHint says what may be behind a refused remount.
func writableHint(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return " (only root may remount)"
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES):
		return " (the device is write-protected, or its file system is damaged: check it with fsck)"
	}
	return ""
}

// realPath makes path absolute and free of symbolic links.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
