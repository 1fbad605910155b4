package rootfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func TestOpenRead(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		content := strings.Repeat("0123456789", 10000)
		p.put("a/file", content)
		f, info, err := p.OpenRead("a/file", NoAtime)
		must(t, err)
		if info.Size != int64(len(content)) || f.Name() != "a/file" {
			t.Errorf("size %d, name %q", info.Size, f.Name())
		}
		must(t, iotest.TestReader(io.NewSectionReader(f, 0, info.Size), []byte(content)))
		got, err := io.ReadAll(f)
		if err != nil || string(got) != content {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		buf := make([]byte, 20)
		if n, err := f.ReadAt(buf, info.Size-10); n != 10 || err != io.EOF {
			t.Errorf("ReadAt over the end: %d, %v", n, err)
		}
		_, err = f.ReadAt(buf, -1)
		wantErr(t, err, unix.EINVAL)
		_, err = f.Write(buf)
		wantErr(t, err, unix.EBADF)
		must(t, f.Close())
		wantErr(t, f.Close(), fs.ErrClosed)
		_, err = f.Read(buf)
		wantErr(t, err, fs.ErrClosed)
		_, err = f.Stat()
		wantErr(t, err, fs.ErrClosed)
		_, _, err = p.OpenRead("a/none", 0)
		wantErr(t, err, fs.ErrNotExist)
	})
}

// TestNoAtimeOfOthers: O_NOATIME is for owners; the file opens all the same.
func TestNoAtimeOfOthers(t *testing.T) {
	r, err := Open("/etc")
	must(t, err)
	defer r.Close()
	f, _, err := r.OpenRead("passwd", NoAtime)
	must(t, err)
	must(t, f.Close())
}

func TestOpenWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("file", "hello world")
		f, info, err := p.OpenWrite("file", 0o600)
		must(t, err)
		if info.Size != 11 || info.Perm() != 0o644 {
			t.Errorf("%+v", info)
		}
		_, err = f.WriteAt([]byte("W"), 6)
		must(t, err)
		must(t, f.Truncate(8))
		must(t, f.Close())
		if got := p.get("file"); got != "hello Wo" {
			t.Errorf("got %q", got)
		}
		f, _, err = p.OpenWrite("new", 0o600)
		must(t, err)
		must(t, f.Close())
		if got := p.lstat("new"); got.Perm() != 0o600 {
			t.Errorf("new file %o", got.Mode)
		}
	})
}

func TestSparse(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		const hole = 1 << 20
		want := bytes.Join([][]byte{[]byte("start"), make([]byte, hole), []byte("middle"), make([]byte, hole)}, nil)
		for name, end := range map[string]func(*Temp) error{
			"commit":   func(tmp *Temp) error { return nil },
			"metadata": func(tmp *Temp) error { return tmp.SetMetadata(Meta{Fields: FieldMtime, Mtime: 1000}) },
			"sync":     func(tmp *Temp) error { return tmp.Sync() },
			"truncate": func(tmp *Temp) error { return tmp.Truncate(int64(len(want))) },
		} {
			tmp, err := p.CreateTemp(name)
			must(t, err)
			tmp.Write([]byte("start"))
			must(t, tmp.Skip(hole))
			tmp.Write([]byte("middle"))
			must(t, tmp.Skip(hole/2))
			must(t, tmp.Skip(hole/2))
			must(t, end(tmp))
			must(t, tmp.Commit(name))
			if got := p.get(name); got != string(want) {
				t.Errorf("%s: content of %d bytes differs", name, len(got))
			}
			var st unix.Stat_t
			must(t, unix.Stat(p.dir+"/"+name, &st))
			if used := int64(st.Blocks) * 512; used > hole/2 {
				t.Errorf("%s: takes %d bytes on disk", name, used)
			}
			if name == "metadata" && p.lstat(name).Mtime != 1000 {
				t.Error("the final hole changed the time set")
			}
		}
		tmp, err := p.CreateTemp("bad")
		must(t, err)
		defer tmp.Abort()
		wantErr(t, tmp.Skip(-1), unix.EINVAL)
	})
}

func TestPreallocate(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		tmp, err := p.CreateTemp("big")
		must(t, err)
		defer tmp.Abort()
		must(t, tmp.Preallocate(0))
		must(t, tmp.Preallocate(1<<20))
		if info, err := tmp.Stat(); err != nil || info.Size != 0 {
			t.Errorf("size %d, %v", info.Size, err)
		}
		err = tmp.Preallocate(1 << 60) // no disk is so large
		if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EFBIG) {
			t.Errorf("an exbibyte: %v", err)
		}
	})
}

func TestTemp(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "old")
		tmp, err := p.CreateTemp("dir/file")
		must(t, err)
		dir, base := split(tmp.TempPath())
		if dir != "dir" || !IsTempName(base) || !strings.HasPrefix(base, ".file.") || len(base) != len(".file.XXXXXX") {
			t.Errorf("temporary path %q", tmp.TempPath())
		}
		if mode := p.lstat(tmp.TempPath()).Mode; mode != unix.S_IFREG|0o600 {
			t.Errorf("mode %o", mode)
		}
		tmp.Write([]byte("ne"))
		tmp.Write([]byte("w"))
		if got := p.get("dir/file"); got != "old" {
			t.Errorf("before Commit: %q", got)
		}
		must(t, tmp.Commit("dir/file"))
		must(t, tmp.Abort()) // does nothing
		if got := p.get("dir/file") + " " + p.names("dir"); got != "new file" {
			t.Errorf("after Commit: %q", got)
		}
		wantErr(t, tmp.Commit("dir/file"), fs.ErrClosed)

		tmp, err = p.CreateTemp("dir/gone")
		must(t, err)
		must(t, tmp.Abort())
		must(t, tmp.Abort())
		_, err = tmp.Write([]byte("x"))
		wantErr(t, err, fs.ErrClosed)

		p.put("other/x", "")
		tmp, err = p.CreateTemp("dir/mover")
		must(t, err)
		must(t, tmp.Close()) // early, to save descriptors
		must(t, tmp.Commit("other/moved"))
		if got := p.names("dir") + "," + p.names("other"); got != "file,moved x" {
			t.Errorf("after a Commit elsewhere: %q", got)
		}
		_, err = p.CreateTemp("none/file")
		wantErr(t, err, fs.ErrNotExist)
		_, err = p.CreateTemp("dir/file/x")
		wantErr(t, err, unix.ENOTDIR)
	})
}

func TestCommitOntoDirectory(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/sub/x", "")
		err := p.save("dir/sub", "x")
		wantErr(t, err, unix.EISDIR)
		if want := "replace dir/sub: is a directory"; err.Error() != want {
			t.Errorf("error reads %q, want %q", err, want)
		}
		if got := p.names("dir"); got != "sub" {
			t.Errorf("left behind: %q", got)
		}
		p.link("nowhere", "l") // a link is replaced, not written through
		must(t, p.save("l", "file"))
		if !p.lstat("l").IsRegular() {
			t.Error("the link is still one")
		}
	})
}

func TestTempLongNames(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		for _, name := range []string{strings.Repeat("n", 255), strings.Repeat("é", 127), strings.Repeat("日", 85),
			strings.Repeat("\xbf", 255), strings.Repeat("n", 247), strings.Repeat("n", 248), "x"} {
			tmp, err := p.CreateTemp(name)
			must(t, err)
			temp := tmp.TempPath()
			if len(temp) > 255 || !IsTempName(temp) || utf8.ValidString(name) != utf8.ValidString(temp) {
				t.Errorf("temporary name %q of %d bytes", temp, len(temp))
			}
			must(t, tmp.Commit(name))
			must(t, p.Remove(name))
		}
		wantErr(t, p.save(strings.Repeat("n", 256), "x"), unix.ENAMETOOLONG)
		if got := p.names("."); got != "" {
			t.Errorf("left behind: %q", got)
		}
	})
}

func TestIsTempName(t *testing.T) {
	for _, name := range []string{"", ".", ".a", ".bashrc.backup", ".file.AbCdEf", "file.AbCdEf", "..AbCdEf", ".x.AbCdE", ".x.AbCdEf7",
		".x.AbC-Ef", strings.Repeat("x", 300)} {
		if IsTempName(name) {
			t.Errorf("%q taken for ours", name)
		}
	}
	chance := 0
	for range 2000 {
		name := tempName("some file", nameMax)
		if !IsTempName(name) || IsTempName("x"+name) || IsTempName(name+"x") {
			t.Fatalf("%q not recognised", name)
		}
		if rsyncs := name[:len(name)-2] + "ab"; IsTempName(rsyncs) {
			chance++
		}
	}
	if chance > 20 { // expected: 2000/3844
		t.Errorf("%d of 2000 strange names recognised", chance)
	}
}

func FuzzIsTempName(f *testing.F) {
	f.Add("file")
	f.Add(tempName("file", nameMax))
	f.Add(strings.Repeat("é", 130))
	f.Fuzz(func(t *testing.T, s string) {
		IsTempName(s)
		if s == "" {
			return
		}
		if name := tempName(s, nameMax); len(name) > nameMax || !IsTempName(name) {
			t.Fatalf("tempName(%q) is %q", s, name)
		}
	})
}

// TestTempNamesTaken: the names are tried until one is free, and no longer than that makes sense.
func TestTempNamesTaken(t *testing.T) {
	tries := 0
	name, err := withTempName("f", func(string) error {
		if tries++; tries < 3 {
			return unix.EEXIST
		}
		return nil
	})
	if err != nil || tries != 3 || !IsTempName(name) {
		t.Errorf("%q, %v after %d tries", name, err, tries)
	}
	if _, err := withTempName("f", func(string) error { return unix.EEXIST }); err != unix.EEXIST {
		t.Errorf("always taken: %v", err)
	}
	name, err = withTempName(strings.Repeat("n", 143), func(name string) error {
		if len(name) > 143 {
			return unix.ENAMETOOLONG
		}
		return nil
	})
	if err != nil || len(name) > 143 {
		t.Errorf("short names only: %q, %v", name, err)
	}
}

func TestSyncAndSpace(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "x")
		must(t, p.SyncDir("dir"))
		must(t, p.SyncFS())
		wantErr(t, p.SyncDir("none"), fs.ErrNotExist)
		wantErr(t, p.SyncDir("dir/file"), unix.ENOTDIR)
		s, err := p.Space()
		must(t, err)
		if s.Total <= 0 || s.Available > s.Total || s.Free < s.Available || s.FreeInodes > s.Inodes {
			t.Errorf("%+v", s)
		}
		var st unix.Statfs_t
		must(t, unix.Statfs(p.dir, &st))
		if s.Total != int64(st.Blocks)*int64(st.Bsize) {
			t.Errorf("total %d", s.Total)
		}
	})
	if product(1<<63, 4096) != 1<<63-1 || product(3, 5) != 15 || product(1, 0) != 0 {
		t.Error("product")
	}
}

func TestFileKeepsPosition(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		tmp, err := p.CreateTemp("f")
		must(t, err)
		defer tmp.Abort()
		tmp.Write([]byte("abc"))
		_, err = tmp.WriteAt([]byte("X"), 1)
		must(t, err)
		tmp.Write([]byte("def"))
		buf := make([]byte, 6)
		if _, err := tmp.ReadAt(buf, 0); err != nil || string(buf) != "aXcdef" {
			t.Errorf("%q, %v", buf, err)
		}
		_, err = tmp.WriteAt(buf, -1)
		wantErr(t, err, unix.EINVAL)
	})
}
