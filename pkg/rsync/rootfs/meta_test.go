package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDiff(t *testing.T) {
	have := Info{Mode: unix.S_IFREG | 0o644, UID: 1, GID: 2, Mtime: 100, MtimeNsec: 5}
	same := Meta{Mode: 0o644, UID: 1, GID: 2, Mtime: 100, MtimeNsec: 5, Fields: FieldMode | FieldUID | FieldGID | FieldMtime}
	change := func(f func(*Meta)) Meta { m := same; f(&m); return m }
	link := have
	link.Mode = unix.S_IFLNK | 0o777
	tests := []struct {
		name string
		m    Meta
		have Info
		want Fields
	}{
		{"same", same, have, 0},
		{"nothing asked", Meta{Mode: 0o777, UID: 9}, have, 0},
		{"mode", change(func(m *Meta) { m.Mode = 0o600 }), have, FieldMode},
		{"mode with type bits", change(func(m *Meta) { m.Mode |= unix.S_IFDIR }), have, 0},
		{"mode of a link", change(func(m *Meta) { m.Mode = 0o600 }), link, 0},
		{"user", change(func(m *Meta) { m.UID = 7 }), have, FieldUID},
		{"group", change(func(m *Meta) { m.GID = 7 }), have, FieldGID},
		{"seconds", change(func(m *Meta) { m.Mtime = 101 }), have, FieldMtime},
		{"nanoseconds", change(func(m *Meta) { m.MtimeNsec = 6 }), have, FieldMtime},
		{"atime", change(func(m *Meta) { m.Fields |= FieldAtime; m.Atime = 7 }), have, FieldAtime},
		{"the same atime", change(func(m *Meta) { m.Fields |= FieldAtime; m.AtimeNsec = 7 }), have, 0},
		{"owner of a set-id file", Meta{Fields: FieldMode | FieldUID, Mode: 0o4755, UID: 7},
			Info{Mode: unix.S_IFREG | 0o4755, UID: 1}, FieldMode | FieldUID},
	}
	for _, tt := range tests {
		if got := tt.m.Diff(tt.have); got != tt.want {
			t.Errorf("%s: %b, want %b", tt.name, got, tt.want)
		}
	}
}

// settable is every kind of thing, and whether its mode can be set without fchmodat2 and /proc.
func settable() map[string]bool {
	return map[string]bool{"file": true, "dir": true, "link": true, "fifo": false, "unreadable": true, "noaccess": false, ".": true}
}

func makeSettable(t *testing.T, p *place) {
	p.put("file", "x")
	p.put("unreadable", "x")
	p.put("noaccess", "x")
	p.put("dir/x", "x")
	p.link("../outside/secret", "link")
	must(t, unix.Mkfifo(p.dir+"/fifo", 0o600))
	must(t, os.Chmod(p.dir+"/unreadable", 0o200))
	must(t, os.Chmod(p.dir+"/noaccess", 0))
}

func TestSetMetadata(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		makeSettable(t, p)
		m := Meta{Fields: FieldMode | FieldMtime | FieldAtime, Mode: 0o1751, Mtime: 1000000007, MtimeNsec: 123456789,
			Atime: 1000000003, AtimeNsec: 5}
		for path, simple := range settable() {
			was := p.lstat(path)
			err := p.SetMetadata(path, m)
			if p.kernel.noProc.Load() && !simple && !(isRoot() && path == "noaccess") {
				wantErr(t, err, unix.EOPNOTSUPP)
				continue
			}
			must(t, err)
			got := p.lstat(path)
			want := uint32(0o1751)
			if path == "link" {
				want = was.Perm()
			}
			if got.Perm() != want || got.Mtime != m.Mtime || got.MtimeNsec != m.MtimeNsec {
				t.Errorf("%s: %o %d.%d", path, got.Perm(), got.Mtime, got.MtimeNsec)
			}
			var st unix.Stat_t
			must(t, unix.Lstat(p.dir+"/"+path, &st))
			if sec, nsec := st.Atim.Unix(); sec != m.Atime || nsec != 5 {
				t.Errorf("%s: atime %d.%d", path, sec, nsec)
			}
		}
		wantErr(t, p.SetMetadata("none", m), fs.ErrNotExist)
		wantErr(t, p.UpdateMetadata("none", Info{}, m), fs.ErrNotExist)
		wantErr(t, p.SetMetadata("file", Meta{Fields: FieldMtime, MtimeNsec: unix.UTIME_OMIT}), unix.EINVAL)
		wantErr(t, p.SetMetadata("file", Meta{Fields: FieldUID, UID: 1<<32 - 1}), unix.EINVAL)
	})
}

// TestSetMetadataSkips: nothing is set that is right already, which the change time shows.
func TestSetMetadataSkips(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		makeSettable(t, p)
		for path := range settable() {
			var before, after unix.Stat_t
			must(t, unix.Lstat(p.dir+"/"+path, &before))
			var have Info
			have.set(&before)
			m := Meta{Fields: FieldMode | FieldUID | FieldGID | FieldMtime, Mode: have.Perm(), UID: have.UID, GID: have.GID,
				Mtime: have.Mtime, MtimeNsec: have.MtimeNsec}
			must(t, p.SetMetadata(path, m))
			must(t, p.UpdateMetadata(path, have, m))
			must(t, unix.Lstat(p.dir+"/"+path, &after))
			if before != after {
				t.Errorf("%s was touched", path)
			}
		}
		wantErr(t, p.UpdateMetadata("../x", Info{}, Meta{}), ErrEscapes)
	})
}

func TestTimeRange(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("file", "x")
		for _, sec := range []int64{0, -1, 1, 1<<31 - 1, 1 << 31, 4102444800 /* 2100 */} {
			must(t, p.SetMetadata("file", Meta{Fields: FieldMtime, Mtime: sec, MtimeNsec: 7}))
			if narrowTime && p.kernel.noStatx.Load() && sec >= 1<<31 {
				continue // set, but an old kernel's stat cannot tell
			}
			info, err := p.Lstat("file")
			if err != nil || info.Mtime != sec || info.MtimeNsec != 7 {
				t.Errorf("%d: got %d.%d, %v", sec, info.Mtime, info.MtimeNsec, err)
			}
			if list, err := p.ReadDirInfo("."); err != nil || list[0].Mtime != sec {
				t.Errorf("%d: ReadDirInfo got %+v, %v", sec, list, err)
			}
			f, opened, err := p.OpenRead("file", 0)
			must(t, err)
			if opened.Mtime != sec {
				t.Errorf("%d: OpenRead got %d", sec, opened.Mtime)
			}
			must(t, f.Close())
		}
	})
}

func TestFileSetMetadata(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		tmp, err := p.CreateTemp("file")
		must(t, err)
		defer tmp.Abort()
		tmp.Write([]byte("x"))
		uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
		if isRoot() {
			uid, gid = 12345, 54321
		}
		all := FieldMode | FieldUID | FieldGID | FieldMtime
		must(t, tmp.SetMetadata(Meta{Fields: all, Mode: 0o6755, UID: uid, GID: gid, Mtime: 1000000007, MtimeNsec: 9}))
		wantErr(t, tmp.SetMetadata(Meta{Fields: FieldMtime, MtimeNsec: 1e9}), unix.EINVAL)
		must(t, tmp.Commit("file"))
		wantErr(t, tmp.SetMetadata(Meta{Fields: FieldMode}), fs.ErrClosed)
		got := p.lstat("file")
		text := fmt.Sprintf("%o %d %d %d.%d", got.Perm(), got.UID, got.GID, got.Mtime, got.MtimeNsec)
		if want := fmt.Sprintf("6755 %d %d 1000000007.9", uid, gid); text != want {
			t.Errorf("got %s, want %s", text, want)
		}
	})
}

// TestChown: owners change, set-id bits come back, a link itself is changed; without privileges the error says chown.
func TestChown(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("file", "x")
		must(t, os.Chmod(p.dir+"/file", 0o755|fs.ModeSetuid))
		p.link("../outside/secret", "link")
		for _, path := range []string{"file", "link"} {
			err := p.SetMetadata(path, Meta{Fields: FieldUID | FieldGID | FieldMode, UID: 12345, GID: 54321, Mode: 0o4755})
			if !isRoot() {
				var pe *fs.PathError
				if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &pe) || pe.Op != "chown" {
					t.Errorf("%s: %v", path, err)
				}
				continue
			}
			must(t, err)
			got := p.lstat(path)
			if got.UID != 12345 || got.GID != 54321 || path == "file" && got.Perm() != 0o4755 {
				t.Errorf("%s: %d:%d %o", path, got.UID, got.GID, got.Perm())
			}
			must(t, p.SetMetadata(path, Meta{Fields: FieldGID, GID: 5}))
			if got := p.lstat(path); got.UID != 12345 || got.GID != 5 {
				t.Errorf("%s: group alone: %d:%d", path, got.UID, got.GID)
			}
		}
	})
}
