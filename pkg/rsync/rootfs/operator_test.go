package rootfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stranger is somebody who is neither root nor who runs the tests.
const stranger = 54321

// plant makes a symbolic link that a stranger owns, which takes root.
func plant(t *testing.T, target, name string) {
	t.Helper()
	must(t, os.Symlink(target, name))
	must(t, os.Lchown(name, stranger, -1))
}

// needRoot leaves out what only root can prepare.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes links that somebody else owns")
	}
}

// walks are the ways an operator's path is resolved: as this kernel can, and as Linux 3.2 does.
func walks(t *testing.T, test func(t *testing.T, o Operator, dir string)) {
	for _, slow := range []bool{false, true} {
		name := map[bool]string{false: "this kernel", true: "Linux 3.2"}[slow]
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			must(t, err)
			must(t, os.MkdirAll(dir+"/real/sub", 0o755))
			must(t, os.WriteFile(dir+"/real/sub/file", []byte("text"), 0o644))
			must(t, os.WriteFile(dir+"/beside", []byte("beside"), 0o644))
			test(t, Operator{slow: slow}, dir)
		})
	}
}

// readAll is what is in the file that the operator names.
func readAll(o Operator, name string) (string, error) {
	f, err := o.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// TestOperatorPaths: what leads through no stranger's link is opened as the kernel would.
func TestOperatorPaths(t *testing.T) {
	walks(t, func(t *testing.T, o Operator, dir string) {
		for name, target := range map[string]string{
			"rel": "real", "abs": dir + "/real", "up": "real/sub/../../real", "slash": "real/", "file": "real/sub/file",
			"chain": "rel", "loop": "loop", "none": "real/none", "far": "./real//sub/./", "filedir": "real/sub/file/",
			"to-new": "real/new", "to-nowhere": "nowhere/new",
		} {
			must(t, os.Symlink(target, dir+"/"+name))
		}
		t.Chdir(dir)
		for _, name := range []string{
			"real/sub/file", "./real//sub/../sub/file", "rel/sub/file", "abs/sub/file", "up/sub/file", "slash/sub/file", "file",
			"chain/sub/file", "far/file", "far/../sub/file", "rel/../beside", dir + "/rel/sub/file", "/../.." + dir + "/file",
			"loop", "loop/sub", "none", "none/x", "nothing", "real/sub/file/", "real/sub/file/x", "file/", "filedir", "", "/", ".", "rel",
			"real/sub/file/..", "a\x00b", "real/sub/" + strings.Repeat("x", 300),
		} {
			got, err := readAll(o, name)
			want, wantErr := os.ReadFile(name)
			if got != string(want) || errno(err) != errno(wantErr) {
				t.Errorf("%q: %q, %v, want %q, %v", name, got, err, want, wantErr)
			}
			_, err = o.Stat(name)
			_, wantErr = os.Stat(name)
			if errno(err) != errno(wantErr) {
				t.Errorf("stat %q: %v, want %v", name, err, wantErr)
			}
			r, err := o.Root(name)
			if err == nil {
				r.Close()
			}
			if r, wantErr = Open(name); wantErr == nil {
				r.Close()
			}
			if errno(err) != errno(wantErr) {
				t.Errorf("root %q: %v, want %v", name, err, wantErr)
			}
		}
		for name, at := range map[string]string{"fresh": "fresh", "to-new": "real/new", "rel/made": "real/made"} {
			f, err := o.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			must(t, err)
			must(t, f.Close())
			if info, err := os.Lstat(at); err != nil || info.Mode() != 0o600 {
				t.Errorf("%s: made %v, %v", name, info, err)
			}
		}
		f, err := o.OpenFile("to-nowhere", os.O_CREATE|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("made in a folder that is not there: %v, %v", f, err)
		}
	})
}

// errno is the kernel's part of an error, 0 for none.
func errno(err error) unix.Errno {
	var e unix.Errno
	errors.As(err, &e)
	return e
}

// TestOperatorLinks: a link of root's or of one's own is followed anywhere in a path, a stranger's is not.
func TestOperatorLinks(t *testing.T) {
	needRoot(t)
	walks(t, func(t *testing.T, o Operator, dir string) {
		t.Chdir(dir)
		plant(t, "real", "dir")
		plant(t, "real/sub/file", "file")
		plant(t, "real/new", "new")
		plant(t, dir+"/real", "abs")
		must(t, os.Symlink("dir/sub", "trusted")) // root's own, and leads through a stranger's
		for _, name := range []string{
			"dir/sub/file", "file", "abs/sub/file", dir + "/dir/sub/file", "real/../dir/sub/file", "trusted/file", "file/", "dir/none",
		} {
			text, err := readAll(o, name)
			if !errors.Is(err, ErrUntrusted) || !errors.Is(err, unix.ELOOP) || text != "" {
				t.Errorf("%s: %q, %v", name, text, err)
			}
			if text, err := readAll(Operator{Insecure: true, slow: o.slow}, name); err == nil && text != "text" || errors.Is(err, ErrUntrusted) {
				t.Errorf("insecure, %s: %q, %v", name, text, err)
			}
		}
		for _, name := range []string{"new", "dir/made", "dir"} {
			if f, err := o.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); !errors.Is(err, ErrUntrusted) {
				t.Errorf("%s was made: %v, %v", name, f, err)
			}
			if _, err := o.Stat(name); !errors.Is(err, ErrUntrusted) {
				t.Errorf("stat %s: %v", name, err)
			}
		}
		for _, name := range []string{"dir", "dir/", "dir/sub", "dir/.."} {
			if r, err := o.Root(name); !errors.Is(err, ErrUntrusted) {
				t.Errorf("root %s: %v, %v", name, r, err)
			}
		}
		if names, err := os.ReadDir("real"); err != nil || len(names) != 1 {
			t.Errorf("something was made: %v, %v", names, err)
		}
		in, err := o.Root("real")
		must(t, err)
		defer in.Close()
		if r, err := o.Within(in, "../dir"); !errors.Is(err, ErrUntrusted) {
			t.Errorf("within: %v, %v", r, err)
		}
		sub, err := o.Within(in, "sub")
		must(t, err)
		defer sub.Close()
		if text, err := sub.ReadSmall("file", 10); string(text) != "text" {
			t.Errorf("within: %q, %v", text, err)
		}
	})
}

// TestOperatorConfine: where a path comes out counts, not how it is written, and what is outside is not told of.
func TestOperatorConfine(t *testing.T) {
	walks(t, func(t *testing.T, o Operator, dir string) {
		t.Chdir(dir)
		must(t, os.Symlink("../beside", "real/out"))
		must(t, os.Symlink("sub/file", "real/in"))
		must(t, os.Symlink("..", "real/above"))
		must(t, os.Symlink("../made", "real/to-made"))
		must(t, os.Symlink("real", "way"))
		o.Confine = dir + "/way"
		for _, name := range []string{"real/sub/file", dir + "/real/in", "way/sub/file", "real/above/real/in"} {
			if text, err := readAll(o, name); text != "text" || err != nil {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		for _, name := range []string{
			"beside", "real/out", "real/above/beside", "real/sub/../../beside", "/etc/passwd", "none", "real/above/none",
			"real/above/none/x", "/proc/self/fd/0", "beside/x", "/dev/stdin",
		} {
			if text, err := readAll(o, name); !errors.Is(err, ErrConfined) || errors.Is(err, fs.ErrNotExist) || text != "" {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		if _, err := readAll(o, "real/none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file that is not there: %v", err)
		}
		if f, err := o.OpenFile("real/to-made", os.O_CREATE|os.O_WRONLY, 0o600); !errors.Is(err, ErrConfined) {
			t.Errorf("made outside: %v, %v", f, err)
		}
		if _, err := os.Lstat("made"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("made is there: %v", err)
		}
		for name, ok := range map[string]bool{"real": true, "real/sub/": true, ".": false, "real/above": false, "/": false} {
			r, err := o.Root(name)
			if ok != (err == nil) || err != nil && !errors.Is(err, ErrConfined) {
				t.Errorf("root %s: %v", name, err)
			}
			if err == nil {
				r.Close()
			}
		}
		o.Insecure = true
		if _, err := readAll(o, "beside"); !errors.Is(err, ErrConfined) {
			t.Errorf("insecure links open the confines: %v", err)
		}
		o.Confine = dir + "/gone"
		if _, err := readAll(o, "real/in"); !errors.Is(err, ErrConfined) {
			t.Errorf("confined to nothing: %v", err)
		}
		o.Confine = "/"
		if text, err := readAll(o, "beside"); text != "beside" {
			t.Errorf("confined to all there is: %v", err)
		}
	})
}

// TestOperatorReads: what is no file has no text, and what is too long none either; links lead anywhere.
func TestOperatorReads(t *testing.T) {
	walks(t, func(t *testing.T, o Operator, dir string) {
		must(t, os.Symlink(dir+"/beside", dir+"/real/out"))
		must(t, os.Symlink("none", dir+"/real/broken"))
		must(t, unix.Mkfifo(dir+"/real/fifo", 0o600))
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		must(t, err)
		defer unix.Close(fd)
		t.Chdir(dir)
		must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: "real/socket"}))
		r, err := o.Root("real")
		must(t, err)
		defer r.Close()
		for name, want := range map[string]string{"sub/file": "text", "out": "beside", "../real/sub/file": "text"} {
			if text, err := o.ReadWithin(r, name, 10); string(text) != want {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		for _, name := range []string{"none", "sub", "sub/file/x", "none/x", "broken", "fifo", "socket"} {
			if text, err := o.ReadWithin(r, name, 10); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		if text, err := o.ReadWithin(r, "sub/file", 3); err == nil {
			t.Errorf("more than 3 bytes: %q", text)
		}
	})
}

// TestOperatorPipes: what a shell puts in place of <(...), and a Close that ends a Read.
func TestOperatorPipes(t *testing.T) {
	walks(t, func(t *testing.T, o Operator, dir string) {
		r, w, err := os.Pipe()
		must(t, err)
		_, err = w.WriteString("piped")
		must(t, err)
		must(t, w.Close())
		text, err := readAll(o, "/dev/fd/"+strconv.Itoa(int(r.Fd())))
		if text != "piped" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		must(t, r.Close())

		must(t, unix.Mkfifo(dir+"/fifo", 0o600))
		f, err := o.OpenFile(dir+"/fifo", os.O_RDWR, 0)
		must(t, err)
		ended := make(chan error)
		go func() {
			_, err := f.Read(make([]byte, 1))
			ended <- err
		}()
		must(t, f.Close())
		select {
		case err := <-ended:
			if !errors.Is(err, fs.ErrClosed) {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("still reading")
		}
	})
}

// TestOperatorRace swaps a folder and a file with a stranger's links while they are opened: never does one lead through such.
func TestOperatorRace(t *testing.T) {
	needRoot(t)
	walks(t, func(t *testing.T, o Operator, dir string) {
		must(t, os.Mkdir(dir+"/secret", 0o755))
		must(t, os.WriteFile(dir+"/secret/file", []byte("secret"), 0o644))
		plant(t, dir+"/secret", dir+"/real/sub-link")
		plant(t, dir+"/secret/file", dir+"/real/sub/file-link")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := dir + "/real/sub/file"
				if i%2 == 0 {
					name = dir + "/real/sub"
				}
				_ = unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, name+"-link", unix.RENAME_EXCHANGE) // of one that is there
			}
		})
		refused, opened := 0, 0
		for deadline := time.Now().Add(2 * time.Minute); refused < 50 || opened < 50; {
			text, err := readAll(o, dir+"/real/sub/file")
			switch {
			case err == nil && text == "text":
				opened++
			case errors.Is(err, unix.ELOOP):
				refused++
			default:
				t.Errorf("%q, %v", text, err)
			}
			if t.Failed() || time.Now().After(deadline) {
				t.Errorf("opened %d times, refused %d times", opened, refused)
				break
			}
		}
		close(stop)
		wg.Wait()
	})
}
