package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// forest fills the source with more folders than a sender has ahead at a time,
// some of them deep, empty or with names that sort oddly, with hard links across
// them, and the destination with some of it and with what should go.
func (s *sandbox) forest() {
	s.t.Helper()
	const then = 1_000_000_000
	folders := []string{"."}
	for i := range 60 {
		for j := range 5 {
			d := fmt.Sprintf("branch %02d/%x", i, j*j)
			folders = append(folders, d)
			for k := range 4 {
				s.write(fmt.Sprintf("%s/%s/leaf %d", s.src, d, k), random(i*j+k, uint64(i)), then+int64(k))
			}
			if i%7 == 0 {
				s.write(fmt.Sprintf("%s/%s/leaf 1", s.dst, d), random(i*j+1, uint64(i)), then+1) // there already
				s.write(fmt.Sprintf("%s/%s/leaf 2", s.dst, d), []byte("another"), then)
				s.write(fmt.Sprintf("%s/%s/gone", s.dst, d), []byte("x"), then)
				s.write(fmt.Sprintf("%s/%s gone/too", s.dst, d), []byte("x"), then)
			}
		}
		folders = append(folders, fmt.Sprintf("branch %02d", i))
	}
	deep := "deep"
	for i := range 40 {
		folders = append(folders, deep)
		s.write(fmt.Sprintf("%s/%s/f", s.src, deep), []byte(deep), then)
		deep += fmt.Sprintf("/%02d", i)
	}
	for _, d := range []string{"empty", "a", "a-b", "a.b", "a/b", "branch 05/0.d", deep} {
		s.must(os.MkdirAll(filepath.Join(s.src, d), 0o755))
		folders = append(folders, d)
	}
	s.write(s.src+"/a/b-", []byte("x"), then)
	s.write(s.src+"/a0", []byte("x"), then)
	for i, to := range []string{"branch 01/1/also", "branch 30/0/also", "branch 59/10/also", "deep/00/01/also", "also"} {
		from := s.src + "/branch 00/1/leaf 0"
		if i > 2 {
			from = s.src + "/branch 02/1/leaf 3"
		}
		s.must(os.Link(from, filepath.Join(s.src, to)))
	}
	s.write(s.dst+"/branch 30/0/also", []byte("another file there"), then)
	// What is of another type at the destination.
	s.write(s.dst+"/branch 03", []byte("a file where a folder comes"), then)
	s.must(os.MkdirAll(s.dst+"/branch 04/0/leaf 0/sub", 0o755))
	s.must(os.Chmod(s.src+"/branch 06", 0o511))
	s.must(os.Chmod(s.src+"/branch 06/1", 0o2700))
	for i := len(folders) - 1; i >= 0; i-- {
		at := time.Unix(then+int64(i), 0)
		s.must(os.Chtimes(filepath.Join(s.src, folders[i]), at, at))
	}
}

// TestFoldersInParts has lists that come folder by folder, in every role,
// against Debian's rsync.
func TestFoldersInParts(t *testing.T) {
	for _, way := range []struct {
		name   string
		source func(s *sandbox) string
		dest   func(s *sandbox) string
		run    func(s *sandbox, args ...string)
	}{
		{"pull from a daemon", moduleOf(false, true), folderOf(false), runOurs},
		{"push to a daemon", folderOf(true), moduleOf(false, false), runOurs},
		{"our daemon sends", moduleOf(true, true), folderOf(false), runDebian},
		{"our daemon receives", folderOf(true), moduleOf(true, false), runDebian},
		{"pull over a shell", func(s *sandbox) string { return "host:" + s.src + "/" }, folderOf(false), runShell},
		{"push over a shell", folderOf(true), func(s *sandbox) string { return "host:" + s.dst + "/" }, runShell},
		{"local", folderOf(true), folderOf(false), runShell},
	} {
		jobs := [][]string{{"-aH", "--delete"}}
		switch way.name {
		case "pull from a daemon", "our daemon receives":
			jobs = append(jobs, []string{"-aHcI", "--no-W", "--protocol=30", "--delete-during", "--fsync"})
		case "our daemon sends", "push over a shell":
			jobs = append(jobs, []string{"-aH", "--delete-after", "--numeric-ids"})
		}
		for _, flags := range jobs {
			t.Run(way.name+"/"+strings.Join(flags, " "), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				s.forest()
				way.run(s, append(flags[:len(flags):len(flags)], way.source(s), way.dest(s))...)
				sameTrees(t, s.src, s.dst)
			})
		}
	}
}

// TestOffersParts asks both sides whether the list comes in parts.
func TestOffersParts(t *testing.T) {
	s := newSandbox(t)
	s.write(s.src+"/d/f", []byte("x"), 1_000_000_000)
	s.debian(s.src)
	for flag, want := range map[string]bool{"-r": true, "-d": false, "--no-i-r": false, "--delete": true, "--delete-after": false, "--delete-before": false, "-m": false, "--protocol=29": false} {
		args := []string{"-r", flag, s.url("/"), s.dst + "/"}
		if flag == "-d" {
			args = args[1:]
		}
		if rec, _, err := s.run(args...); err != nil || rec.caps.IncRecurse != want {
			t.Errorf("%s: %v, in parts: %v", flag, err, rec.caps.IncRecurse)
		}
	}
	s.ours(s.src)
	for flag, want := range map[string]bool{"-rv": true, "--no-i-r": false, "--protocol=29": false} {
		if out, _ := s.rsync("-v", "-r", flag, s.url("/"), s.dst+"/"); strings.Contains(out, "incremental file list") != want {
			t.Errorf("rsync %s:\n%s", flag, out)
		}
	}
}

// moduleOf serves the source or the destination, with our daemon or Debian's.
func moduleOf(ours, source bool) func(*sandbox) string {
	return func(s *sandbox) string {
		path := s.dst
		if source {
			path = s.src
		}
		if ours {
			s.ours(path)
		} else {
			s.debian(path)
		}
		return s.url("/")
	}
}

func folderOf(source bool) func(*sandbox) string {
	return func(s *sandbox) string {
		if source {
			return s.src + "/"
		}
		return s.dst + "/"
	}
}

func runShell(s *sandbox, args ...string) {
	s.t.Helper()
	for range 2 {
		if rec, _, err := s.shell(append([]string{"-e", s.rsh()}, args...)...); err != nil {
			s.t.Fatalf("our client: %v\n%s\n%s", err, rec, s.log)
		}
	}
}
