package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestLstat(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "hello")
		p.link("dir/file", "link")
		must(t, os.Link(p.dir+"/dir/file", p.dir+"/hard"))
		must(t, unix.Mkfifo(p.dir+"/fifo", 0o600))
		when := time.Unix(1234567890, 123456789)
		must(t, os.Chtimes(p.dir+"/dir/file", when, when))
		for _, path := range []string{".", "dir", "dir/file", "link", "hard", "fifo"} {
			got, err := p.Lstat(path)
			must(t, err)
			if diff := cmp.Diff(p.lstat(path), got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", path, diff)
			}
		}
		file, _ := p.Lstat("dir/file")
		want := Info{Mode: file.Mode, UID: uint32(os.Geteuid()), GID: file.GID, Mtime: 1234567890, MtimeNsec: 123456789, Atime: 1234567890,
			Ctime: file.Ctime, CtimeNsec: file.CtimeNsec, Size: 5, Dev: file.Dev, Ino: file.Ino, Nlink: 2, Rdev: file.Rdev}
		if diff := cmp.Diff(want, file); diff != "" || !file.IsRegular() || file.Perm() != 0o644 {
			t.Errorf("dir/file: (-want +got)\n%s", diff)
		}
		for path, want := range map[string]error{"none": fs.ErrNotExist, "dir/none": fs.ErrNotExist, "none/x": fs.ErrNotExist,
			"hard/x": unix.ENOTDIR, strings.Repeat("n", 256): unix.ENAMETOOLONG} {
			_, err := p.Lstat(path)
			wantErr(t, err, want)
		}
	})
}

func TestInfoKinds(t *testing.T) {
	kinds := func(i Info) string {
		return fmt.Sprint(i.IsDir(), i.IsRegular(), i.IsSymlink(), i.IsDevice(), i.IsSpecial())
	}
	for mode, want := range map[uint32]string{
		unix.S_IFDIR: "true false false false false", unix.S_IFREG: "false true false false false",
		unix.S_IFLNK: "false false true false false", unix.S_IFCHR: "false false false true false",
		unix.S_IFBLK: "false false false true false", unix.S_IFIFO: "false false false false true",
		unix.S_IFSOCK: "false false false false true", 0: "false false false false false",
	} {
		if got := kinds(Info{Mode: mode | 0o7777}); got != want {
			t.Errorf("%o: %s, want %s", mode, got, want)
		}
	}
	i := Info{Rdev: MakeDev(4095, 1048575)}
	if i.Major() != 4095 || i.Minor() != 1048575 {
		t.Errorf("device is %d, %d", i.Major(), i.Minor())
	}
}

func TestReadDir(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "hello")
		p.put("dir/sub/x", "")
		p.link("file", "dir/link")
		must(t, unix.Mkfifo(p.dir+"/dir/fifo", 0o600))
		got, err := p.ReadDir("dir")
		must(t, err)
		sort.Slice(got, func(i, j int) bool { return got[i].Name < got[j].Name })
		want := []DirEntry{{"fifo", unix.S_IFIFO}, {"file", unix.S_IFREG}, {"link", unix.S_IFLNK}, {"sub", unix.S_IFDIR}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		infos, err := p.ReadDirInfo("dir")
		must(t, err)
		for _, e := range infos {
			if diff := cmp.Diff(p.lstat("dir/"+e.Name), e.Info); diff != "" || e.Err != nil {
				t.Errorf("%s: %v (-want +got)\n%s", e.Name, e.Err, diff)
			}
		}
		if len(infos) != 4 {
			t.Errorf("%d entries", len(infos))
		}
		if none, err := p.ReadDirInfo("dir/sub"); err != nil || len(none) != 1 {
			t.Errorf("dir/sub: %v, %v", none, err)
		}
		for path, want := range map[string]error{"dir/file": unix.ENOTDIR, "dir/link": ErrSymlink, "none": fs.ErrNotExist} {
			_, err := p.ReadDir(path)
			wantErr(t, err, want)
		}
	})
}

// TestReadDirLarge: more names than one buffer holds, each once, and a scan that is stopped.
func TestReadDirLarge(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		var want []string
		for i := range 300 {
			name := fmt.Sprintf("%s%04d", strings.Repeat("x", 200), i)
			want = append(want, name)
			p.put(name, "")
		}
		infos, err := p.ReadDirInfo(".")
		must(t, err)
		var got []string
		for _, e := range infos {
			got = append(got, e.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		stop, seen := errors.New("stop"), 0
		err = p.ScanDir(".", func(name []byte, typ uint32) error {
			if seen++; seen == 250 {
				return stop
			}
			if inner := p.ScanDir(".", func([]byte, uint32) error { return stop }); inner != stop { // may be nested
				return inner
			}
			return nil
		})
		if err != stop || seen != 250 {
			t.Errorf("stopped after %d with %v", seen, err)
		}
	})
}

// TestReadDirInfoUnsearchable: names can be read but not looked at.
func TestReadDirInfoUnsearchable(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "x")
		must(t, os.Chmod(p.dir+"/dir", 0o444))
		defer os.Chmod(p.dir+"/dir", 0o755)
		infos, err := p.ReadDirInfo("dir")
		must(t, err)
		if len(infos) != 1 || infos[0].Name != "file" {
			t.Fatalf("got %+v", infos)
		}
		if isRoot() {
			wantErr(t, infos[0].Err, nil)
		} else {
			wantErr(t, infos[0].Err, fs.ErrPermission)
		}
	})
}

func TestEachDirentHostile(t *testing.T) {
	visit := func(uint64, []byte, uint32) error { return nil }
	record := func(size byte) []byte { b := make([]byte, 32); b[16] = size; b[19] = 'x'; return b }
	for _, size := range []byte{0, 1, 19, 33, 255} {
		if err := eachDirent(record(size), visit); err != unix.EIO {
			t.Errorf("record length %d: %v", size, err)
		}
	}
}

func FuzzEachDirent(f *testing.F) {
	dir, err := os.Open("/")
	if err != nil {
		f.Fatal(err)
	}
	defer dir.Close()
	buf := make([]byte, 4096)
	n, err := unix.Getdents(int(dir.Fd()), buf)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(buf[:n])
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		eachDirent(b, func(_ uint64, name []byte, _ uint32) error {
			total += len(name)
			if len(name) == 0 || string(name) == "." || string(name) == ".." {
				t.Fatalf("visited %q", name)
			}
			return nil
		})
		if total > len(b) {
			t.Fatalf("%d bytes of names from %d", total, len(b))
		}
	})
}

// TestOpenNeverBlocks: fifos, sockets and devices are refused at once.
func TestOpenNeverBlocks(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		must(t, unix.Mkfifo(p.dir+"/fifo", 0o600))
		must(t, os.Mkdir(p.dir+"/dir", 0o755))
		short, err := os.MkdirTemp("/tmp", "s") // a socket's own path must be short
		must(t, err)
		defer os.RemoveAll(short)
		l, err := net.Listen("unix", short+"/sock")
		must(t, err)
		defer l.Close()
		must(t, os.Link(short+"/sock", p.dir+"/sock"))
		for _, path := range []string{"fifo", "sock", "dir"} {
			_, _, err := p.OpenRead(path, NoAtime)
			wantErr(t, err, ErrNotRegular)
			_, _, err = p.OpenWrite(path, 0o600)
			wantErr(t, err, ErrNotRegular)
		}
		f, info, err := p.OpenRead("fifo", AllowDevices)
		must(t, err)
		defer f.Close()
		if !info.IsSpecial() {
			t.Errorf("fifo is %o", info.Mode)
		}
	})
}

// TestLstatIn: what Lstat says, whether or not the directory is known already, and no way out of it.
func TestLstatIn(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("top", "1")
		p.put("dir/sub/file", "hello")
		p.link("sub", "dir/link")
		long := strings.Repeat("x", 255)
		p.put("dir/"+long, "")
		for range 2 {
			for _, name := range []string{"dir/sub/file", "dir/link", "dir/sub", "dir/" + long} {
				parent, base := split(name)
				got, err := p.LstatIn(parent, base)
				must(t, err)
				if diff := cmp.Diff(p.lstat(name), got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", name, diff)
				}
			}
			if got, err := p.LstatIn("", "top"); err != nil || got.Size != 1 {
				t.Errorf("top: %+v, %v", got, err)
			}
			for _, bad := range []struct {
				parent, base string
				want         error
			}{
				{"dir", "none", fs.ErrNotExist}, {"dir", "", ErrBadPath}, {"dir", "..", ErrBadPath}, {"dir", "sub/file", ErrBadPath},
				{"dir", "a\x00b", ErrBadPath}, {"dir", ".", ErrBadPath}, {"../dir", "file", ErrEscapes}, {"none", "file", fs.ErrNotExist},
				{"dir/link", "file", ErrSymlink}, {"", "..", ErrEscapes}, {"dir", strings.Repeat("x", 256), unix.ENAMETOOLONG},
			} {
				_, err := p.LstatIn(bad.parent, bad.base)
				wantErr(t, err, bad.want)
			}
		}
	})
}

// TestLook: a directory looked at in windows, each in the order asked for, is the directory; what has vanished is left out.
func TestLook(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		var want []string
		for i := range 100 {
			name := fmt.Sprintf("f%02d%s", i*37%100, strings.Repeat("x", i))
			p.put("dir/"+name, name)
			want = append(want, name)
		}
		slices.Sort(want)
		var names Names
		for range 2 { // used twice
			must(t, p.ReadNames("dir", &names))
			names.Sort(func(a string, _ uint32, b string, _ uint32) int { return strings.Compare(a, b) })
			if !names.Typed() || names.Type(0) != unix.S_IFREG || names.Name(0) != want[0] {
				t.Errorf("first is %q, %o", names.Name(0), names.Type(0))
			}
			var got []string
			var infos []NamedInfo
			for from := 0; from < names.Len(); from += 7 {
				if infos = names.Look(from, min(from+7, names.Len()), infos[:0]); from == 0 {
					must(t, os.Remove(p.dir+"/dir/"+want[50]))
				}
				for _, in := range infos {
					got = append(got, in.Name)
					if in.Err != nil || in.Size != int64(len(in.Name)) {
						t.Errorf("%s: %d bytes, %v", in.Name, in.Size, in.Err)
					}
				}
			}
			if diff := cmp.Diff(slices.Delete(slices.Clone(want), 50, 51), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			p.put("dir/"+want[50], want[50])
		}
		wantErr(t, p.ReadNames("none", &names), fs.ErrNotExist)
		if names.Len() != 0 {
			t.Errorf("%d names of a directory that is not there", names.Len())
		}
	})
}
