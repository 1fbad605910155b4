package interop

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// text is data that compresses, different for each seed.
func text(n int, seed uint64) []byte {
	var b bytes.Buffer
	for i, r := range random(n/8+2, seed) {
		fmt.Fprintf(&b, "%d line %02x\n", i%100, r)
	}
	return b.Bytes()[:n]
}

// populateText fills the sandbox with pairs of files between which literals
// and matches alternate.
func (s *sandbox) populateText() {
	s.t.Helper()
	const then = 1_000_000_000
	for i, n := range []int{0, 1, 100, 5000, 70_000, 400_000} {
		data := text(n, uint64(i))
		s.write(fmt.Sprintf("%s/new%d", s.src, i), data, then)
		s.write(fmt.Sprintf("%s/track%d.mp3", s.src, i), random(n, uint64(i)), then)
		old := bytes.Clone(data)
		for at := 1000; at+20 < n; at += 1 + n/37 {
			copy(old[at:], "0123456789abcdefghij")
		}
		for at := 2000; at+20_000 < n; at += 200_000 {
			copy(old[at:], random(20_000, 99))
		}
		s.write(fmt.Sprintf("%s/changed%d", s.src, i), data, then)
		s.write(fmt.Sprintf("%s/changed%d", s.dst, i), old, then-1)
		mixed := append(random(n/2, 7), data...)
		s.write(fmt.Sprintf("%s/moved%d.MP3", s.src, i), append(bytes.Clone(data), mixed...), then)
		s.write(fmt.Sprintf("%s/moved%d.MP3", s.dst, i), mixed, then-1)
	}
	for i := range 20 {
		s.write(fmt.Sprintf("%s/fids/%x", s.src, i*16), text(i*7, uint64(i)), then)
	}
}

func TestCompression(t *testing.T) {
	highest := "22"
	if strconv.IntSize == 32 {
		highest = "19" // beyond that a window takes more than a board has
	}
	type job struct {
		version int
		flags   string
	}
	var jobs []job
	for _, v := range versions(20, 27, 29, 30, 31, 32) {
		for _, z := range []string{"-z", "--zc=zlib --no-W", "--zc=zlibx --zl=9", "--zc=lz4 -B 700", "--zc=zstd --zl=1"} {
			jobs = append(jobs, job{v, z})
		}
	}
	for _, z := range []string{
		"-zz", "--zc=auto -z", "--zc=none", "--zl=0 --zc=zlib", "--zl=1 --zc=zlib", "--zl=9 --zc=zlib -B 700", "--zl=-1 --zc=zlibx -B 64",
		"--old-compress -B 5000", "--new-compress --skip-compress=mp3", "--zc=zlib --skip-compress= -B 131072", "--zc=zlib --skip-compress=mp[3]", "--zl=5", "--zl=0",
		"--zc=zstd --zl=-5", "--zc=zstd --zl=19", "--zc=zstd --zl=" + highest, "--zc=lz4 --skip-compress=mp3", "--zc=zstd -B 700", "--zc=lz4 -B 131072",
	} {
		jobs = append(jobs, job{32, z})
	}
	// Blocks that zlib's history takes in pieces, in the two ways of it.
	jobs = append(jobs, job{29, "-z -B 300000"}, job{27, "-z -B 70000"}, job{30, "--zc=zlib -B 131000"}, job{31, "--zc=zlib -B 131000"})
	for _, j := range jobs {
		for _, push := range []bool{false, true} {
			for _, ours := range []string{"client", "daemon"} {
				name := strings.ReplaceAll(fmt.Sprintf("%d/%s/our %s/push=%v", j.version, j.flags, ours, push), "=", "")
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := newSandbox(t)
					s.populateText()
					module, from, to := s.src, "", s.dst+"/"
					if push {
						module, from, to = s.dst, s.src+"/", ""
					}
					flags := append([]string{fmt.Sprintf("--protocol=%d", j.version), "-a"}, strings.Fields(j.flags)...)
					if strings.HasPrefix(j.flags, "--skip-compress= ") {
						flags = append(flags, "--skip-compress=")
					}
					serve, run := s.debian, runOurs
					if ours == "daemon" {
						serve, run = func(p string, e ...string) { s.ours(p, e...) }, runDebian
					}
					serve(module)
					if push {
						to = s.url("/")
					} else {
						from = s.url("/")
					}
					run(s, append(flags, from, to)...)
					sameTrees(t, s.src, s.dst)
				})
			}
		}
	}
}

// What the module says is not to be compressed travels as it is, though the
// client asks for -z.
func TestDontCompress(t *testing.T) {
	for _, tc := range []struct {
		line     string
		squeezed bool
	}{{"", true}, {"dont compress = *", false}, {"dont compress = *.log *.txt", false}, {"dont compress = *.gz", true}} {
		s := newSandbox(t)
		s.write(s.src+"/text.txt", bytes.Repeat([]byte("the same line again and again\n"), 40_000), 1_000_000_000)
		s.ours(s.src, tc.line)
		out, code := s.rsync("-az", "--stats", "--zc=zlibx", s.url("/"), s.dst+"/")
		if code != 0 {
			t.Fatalf("rsync ends with %d:\n%s", code, out)
		}
		sameTrees(t, s.src, s.dst)
		_, after, _ := strings.Cut(out, "Total bytes received: ")
		received, err := strconv.Atoi(strings.ReplaceAll(strings.Fields(after)[0], ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		if (received < 200_000) != tc.squeezed {
			t.Errorf("%q: %d bytes came", tc.line, received)
		}
	}
}

// rsync takes the frames of a long run of literals one after the other.
func TestLongRunOfLiterals(t *testing.T) {
	s := newSandbox(t)
	const then = 1_000_000_000
	s.write(s.src+"/a", text(3000, 1), then)
	s.write(s.src+"/b", bytes.Repeat(append(text(700_000, 2), random(70_000, 2)...), 15), then)
	s.write(s.src+"/c", text(3000, 3), then)
	s.ours(s.src)
	if out, code := s.rsync("-az", "--zc=zstd", s.url("/"), s.dst+"/"); code != 0 {
		t.Fatalf("rsync ends with %d:\n%s", code, out)
	}
	sameTrees(t, s.src, s.dst)
}
