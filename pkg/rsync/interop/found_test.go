package interop

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFound holds what random jobs (tools/compare) have found, made small.
func TestFound(t *testing.T) {
	const data = "the data that both names have"
	at := func(s *sandbox, dir string, sec int64, names ...string) {
		for _, n := range names {
			s.must(touch(dir+"/"+n, sec))
		}
	}
	twoNames := func(s *sandbox, dir string) {
		s.write(dir+"/a", []byte(data), then)
		s.must(os.Link(dir+"/a", dir+"/b"))
		s.must(os.Link(dir+"/a", dir+"/c"))
		at(s, dir, then, ".")
	}
	aside := func(s *sandbox, dst string) string { return filepath.Join(filepath.Dir(dst), "alt") }
	tests := []struct {
		name, flags  string
		source, dest func(s *sandbox, dir string)
	}{
		{"shut folder", "-ai", func(s *sandbox, dir string) {
			s.must(os.Mkdir(dir+"/shut", 0o555))
			at(s, dir, then, "shut", ".")
		}, func(s *sandbox, dir string) {
			s.must(os.Mkdir(dir+"/shut", 0o555))
			at(s, dir, then, "shut")
		}},
		{"no file, odd name", "-rv", func(s *sandbox, dir string) {
			s.must(os.Symlink("x", dir+"/odd \\ \"name\""))
		}, nil},
		{"names only in another folder", "-aHii --compare-dest=../alt --no-i-r", twoNames, func(s *sandbox, dir string) {
			twoNames(s, aside(s, dir))
		}},
		{"gone for another folder", "-a --compare-dest=../alt", func(s *sandbox, dir string) {
			s.write(dir+"/sub/a", []byte(data), then)
			at(s, dir, then, "sub", ".")
		}, func(s *sandbox, dir string) {
			for _, d := range []string{dir, aside(s, dir)} {
				s.write(d+"/sub/a", []byte(data), then)
				at(s, d, then, "sub")
			}
		}},
		{"a newer name", "-aHu", twoNames, func(s *sandbox, dir string) {
			s.write(dir+"/a", []byte("newer"), then+5)
		}},
		{"newer names behind", "-aHu --protocol=29", twoNames, func(s *sandbox, dir string) {
			s.write(dir+"/b", []byte("newer"), then+5)
		}},
		{"names that are too big", "-aH --max-size=5", twoNames, nil},
		{"links to folders that are kept", "-aK", func(s *sandbox, dir string) {
			s.must(os.Mkdir(dir+"/a", 0o755))
			s.must(os.Symlink("a", dir+"/b"))
			at(s, dir, then, "a", "b", ".")
		}, func(s *sandbox, dir string) {
			s.must(os.Mkdir(dir+"/a", 0o755))
		}},
		{"folders that are deleted", "-rv --delete --protocol=28", func(s *sandbox, dir string) {
			s.write(dir+"/kept", nil, then)
		}, func(s *sandbox, dir string) {
			s.write(dir+"/gone/a", nil, then)
		}},
		{"a folder where another one has the link", "-aii --copy-dest=../alt", func(s *sandbox, dir string) {
			s.must(os.Symlink("x", dir+"/link"))
			at(s, dir, then, "link", ".")
		}, func(s *sandbox, dir string) {
			s.must(os.Mkdir(dir+"/link", 0o755))
			s.must(os.MkdirAll(aside(s, dir), 0o755))
			s.must(os.Symlink("x", aside(s, dir)+"/link"))
			at(s, aside(s, dir), then, "link")
		}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			oracle{flags: strings.Fields(tt.flags), source: tt.source, dest: tt.dest, roles: someRoles(i)}.run(t)
		})
	}
	t.Run("devices of one number", func(t *testing.T) {
		oracle{flags: []string{"-a", "--protocol=25"}, roles: []string{"our client pushes", "our client pulls"}, source: func(s *sandbox, dir string) {
			for _, n := range []string{"a", "c", "e"} {
				if os.Geteuid() == 0 {
					s.must(syscall.Mknod(dir+"/"+n, syscall.S_IFCHR|0o644, 1<<8|3))
				} else {
					s.write(dir+"/"+n, nil, then)
				}
			}
			s.write(dir+"/b", nil, then)
			s.must(syscall.Mkfifo(dir+"/d", 0o644))
			at(s, dir, then, "a", "c", "d", "e", ".")
		}}.run(t)
	})
	t.Run("attributes in an old version", func(t *testing.T) {
		oracle{flags: []string{"-aiAX", "--protocol=29"}, source: attributedTree, dest: olderAttributes, roles: []string{"we copy"}}.run(t)
	})
}

// TestNamesPassedOver: where the name of a file that was to be brought, and the
// others linked to it, gets nothing, the others are one file nevertheless. rsync 3.5.0
// waits forever in these cases if the list comes in parts, else loses some.
func TestNamesPassedOver(t *testing.T) {
	const data = "the data of three names"
	for _, tt := range []struct {
		name, flags string
		dest        func(s *sandbox)
		left        string // the one name that is no file
		code        int
	}{
		{"the first only in another folder", "-aH --compare-dest=../alt", func(s *sandbox) { s.write(s.dir+"/alt/a", []byte(data), then) }, "a", 0},
		{"a folder in the way of the first", "-aH", func(s *sandbox) { s.write(s.dst+"/a/inside", nil, then) }, "a", 23},
		{"a folder in the way of the last", "-aH", func(s *sandbox) { s.write(s.dst+"/c/inside", nil, then) }, "c", 23},
	} {
		for _, more := range []string{"--i-r", "--no-i-r"} {
			t.Run(tt.name+" "+more, func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.write(s.src+"/a", []byte(data), then)
				s.must(os.Link(s.src+"/a", s.src+"/b"))
				s.must(os.Link(s.src+"/a", s.src+"/c"))
				tt.dest(s)
				if got := (oracle{flags: append(strings.Fields(tt.flags), more)}).copies(s, s.src+"/", s.dst+"/"); got.code != tt.code {
					t.Errorf("exit code %d, want %d", got.code, tt.code)
				}
				var files []os.FileInfo
				for _, name := range []string{"a", "b", "c"} {
					if info, err := os.Stat(s.dst + "/" + name); err == nil && info.Mode().IsRegular() {
						files = append(files, info)
					} else if name != tt.left {
						t.Errorf("%s is not there: %v", name, err)
					}
				}
				if len(files) != 2 || !os.SameFile(files[0], files[1]) || files[0].Size() != int64(len(data)) {
					t.Errorf("%d files, not two names of one", len(files))
				}
			})
		}
	}
}

// TestCountedTwice: a name that is in --files-from twice counts twice, as with rsync.
func TestCountedTwice(t *testing.T) {
	s := newSandbox(t)
	s.write(s.src+"/a", []byte("12345"), then)
	s.write(s.dir+"/list", []byte("a\na\n"), then)
	s.debian(s.src)
	rec, st, err := s.run("-a", "--files-from="+s.dir+"/list", s.url("/"), s.dst+"/")
	if err != nil || st.Files != 2 || st.TotalSize != 10 || st.Transferred != 1 {
		t.Errorf("%v, %+v; want 2 files of 10 bytes, one of them brought\n%s", err, st, rec)
	}
}

// TestDeletionsAreHandedBack: rsync's client counts deletions in one process and tells of
// them in another, which hears of them by way of our server.
func TestDeletionsAreHandedBack(t *testing.T) {
	for _, when := range []string{"--delete-before", "--delete", "--delete-after"} {
		s := newSandbox(t)
		s.write(s.src+"/a", nil, then)
		s.write(s.dst+"/x/y", nil, then)
		s.ours(s.src)
		out, code := s.rsync("-a", "--stats", when, s.url("/"), s.dst+"/")
		if code != 0 || !strings.Contains(out, "deleted files: 2 (reg: 1, dir: 1)") {
			t.Errorf("%s: code %d\n%s", when, code, out)
		}
	}
}

// TestExactTimes: -c brings the times of files that need no data up to date to the
// nanosecond, as rsync does.
func TestExactTimes(t *testing.T) {
	for _, peer := range []string{"rsync", "we"} {
		s := newSandbox(t)
		s.write(s.src+"/a", []byte("12345"), then)
		s.write(s.dst+"/a", []byte("12345"), then)
		s.must(touch(s.dst+"/a", then))
		if peer == "rsync" {
			s.rsync("-ac", s.src+"/", s.dst+"/")
		} else {
			(oracle{flags: []string{"-ac"}}).copies(s, s.src+"/", s.dst+"/")
		}
		want, err := os.Stat(s.src + "/a")
		s.must(err)
		got, err := os.Stat(s.dst + "/a")
		s.must(err)
		if !got.ModTime().Equal(want.ModTime()) {
			t.Errorf("%s: %v, want %v", peer, got.ModTime(), want.ModTime())
		}
	}
}

// TestCreatedDirectory: our daemon tells of the folder that it makes for what is
// pushed, as rsync's does.
func TestCreatedDirectory(t *testing.T) {
	const told = "created directory new"
	for _, tt := range []struct {
		flags, to string
		empty     bool
		want      bool
	}{
		{"-ai", "/new", false, true},
		{"-av", "/new/", true, true},
		{"-avn", "/new", false, true},
		{"-av", "/new", true, false},
		{"-a", "/new/", false, false},
	} {
		for _, peer := range []string{"rsync", "we"} {
			s := newSandbox(t)
			if !tt.empty {
				s.write(s.src+"/a", nil, then)
			}
			serve := s.ours
			if peer == "rsync" {
				serve = s.debian
			}
			serve(s.dst)
			out, code := s.rsync(tt.flags, s.src+"/", s.url(tt.to))
			if code != 0 || strings.Contains(out, told) != tt.want {
				t.Errorf("%s to %s with nothing to copy %v, %s serves: code %d, %q wanted: %v\n%s", tt.flags, tt.to, tt.empty, peer, code, told, tt.want, out)
			}
		}
	}
}
