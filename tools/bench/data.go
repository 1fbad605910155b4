package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	smallSize   = 4096
	perFolder   = 500      // files of a folder, but for one player's fids, which are in one
	blockSize   = 32 << 10 // rsync's for 1 GiB
	changedPart = 100      // one block of so many is changed
	bigName     = "big"
)

// old is the time of all files, but for those that are to differ.
func old() time.Time { return time.Unix(1_000_000_000, 0) }

// random is a source of bytes that are the same each time.
func random(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// writeFile makes a file and sets its time.
func writeFile(name string, data []byte, at time.Time) error {
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	return os.Chtimes(name, at, at)
}

// makeTree makes n files of 4 KiB of random bytes, in folders.
func makeTree(dir string, n int) error {
	r := random(1)
	data := make([]byte, smallSize)
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("folder %03d", i/perFolder))
		if i%perFolder == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		_, _ = r.Read(data) // never fails
		if err := writeFile(filepath.Join(sub, fmt.Sprintf("file %06d.dat", i)), data, old()); err != nil {
			return err
		}
	}
	return nil
}

// onePlayer is about how many files a player's drive has, all in one folder.
// More of them are in folders.
const onePlayer = 20_000

// makeFids makes n files named as a player's music is, below the folder fids;
// they hold next to nothing, since lists are what they are for.
func makeFids(dir string, n int) error {
	dir = filepath.Join(dir, "fids")
	for i := range n {
		name := fmt.Sprintf("%x%d", 0x100+i/2, i%2) // a tune and its tags
		if n > onePlayer {
			name = fmt.Sprintf("_%05x/%s", i/perFolder, name)
		}
		if i == 0 || n > onePlayer && i%perFolder == 0 {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				return err
			}
		}
		if err := writeFile(filepath.Join(dir, name), []byte(name), old().Add(time.Duration(i)*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// changeFiles gives one file in so many of a tree other content and a later time.
func changeFiles(dir string) error {
	n := 0
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if n++; n%changedPart != 1 {
			return nil
		}
		return writeFile(name, []byte("changed since"), time.Unix(1_500_000_000, 0))
	})
}

// makePortage makes n small files of words, as many as a tree of ebuilds has in
// each folder, of a few hundred bytes to a few thousand.
func makePortage(dir string, n int) error {
	names := []string{"Manifest", "metadata.xml", "%s-1.0.ebuild", "%s-1.1-r2.ebuild", "%s-2.0.ebuild", "files/%s-gcc.patch"}
	const packages = 120 // of a category
	text := &prose{r: rand.New(random(6))}
	for i := range n {
		number := i / len(names)
		pkg := fmt.Sprintf("pkg%04d", number)
		name := names[i%len(names)]
		if strings.Contains(name, "%") {
			name = fmt.Sprintf(name, pkg)
		}
		name = filepath.Join(dir, fmt.Sprintf("cat-%03d", number/packages), pkg, name)
		if i%len(names) == 0 {
			if err := os.MkdirAll(filepath.Join(filepath.Dir(name), "files"), 0o755); err != nil {
				return err
			}
		}
		data := make([]byte, 300+text.r.IntN(2700))
		_, _ = text.Read(data) // never fails
		if err := writeFile(name, data, old().Add(time.Duration(i)*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// makeBig makes one file of random bytes.
func makeBig(dir string, size int64) error {
	return makeFile(dir, bigName, size, random(2))
}

// makeText makes one file of words, which compresses about as prose does.
func makeText(dir string, size int64) error {
	return makeFile(dir, "text", size, &prose{r: rand.New(random(3))})
}

func makeFile(dir, name string, size int64, from io.Reader) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name = filepath.Join(dir, name)
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(f, from, size); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(name, old(), old())
}

// prose is a text without end: words of a made-up language, the common ones
// more often.
type prose struct {
	r     *rand.Rand
	words [][]byte
	rest  []byte
}

// Read implements io.Reader; it never fails.
func (p *prose) Read(b []byte) (int, error) {
	const count = 20_000
	for len(p.words) < count {
		w := make([]byte, 2+p.r.IntN(9))
		for i := range w {
			w[i] = "etaoinshrdlucmfwypvbgkqjxz"[min(p.r.IntN(26), p.r.IntN(26))]
		}
		p.words = append(p.words, w)
	}
	for len(p.rest) < len(b) {
		x := p.r.Float64()
		p.rest = append(p.rest, p.words[int(x*x*x*count)]...)
		p.rest = append(p.rest, " \n"[p.r.IntN(12)/11])
	}
	n := copy(b, p.rest)
	p.rest = append(p.rest[:0], p.rest[n:]...)
	return n, nil
}

// changeBlocks overwrites a hundredth of a file's blocks, at least one, all
// over it, and makes it newer.
func changeBlocks(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	r := random(4)
	where := rand.New(random(5))
	data := make([]byte, min(blockSize, size))
	blocks := max(size/blockSize, 1)
	for range max(blocks/changedPart, 1) {
		_, _ = r.Read(data)
		if _, err := f.WriteAt(data, where.Int64N(blocks)*blockSize); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	newer := old().Add(time.Hour)
	return os.Chtimes(name, newer, newer)
}

// linkTree makes to like from with hard links for files: a copy that costs
// nothing, since rsync looks at sizes and times and never writes in place.
func linkTree(from, to string) error {
	var dirs []string
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, rel)
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return os.Link(name, filepath.Join(to, rel))
	})
	if err != nil {
		return err
	}
	for _, d := range dirs {
		info, err := os.Stat(filepath.Join(from, d))
		if err != nil {
			return err
		}
		if err := os.Chtimes(filepath.Join(to, d), info.ModTime(), info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// sameTrees fails unless both trees have the same files with the same bytes
// and times.
func sameTrees(want, got string) error {
	files := 0
	err := eachFile(want, func(rel string, info fs.FileInfo) error {
		files++
		other, err := os.Lstat(filepath.Join(got, rel))
		switch {
		case err != nil:
			return err
		case other.Mode() != info.Mode() || other.Size() != info.Size() || other.ModTime().Unix() != info.ModTime().Unix():
			return fmt.Errorf("%s is %v, %d bytes, of %v in the source and %v, %d bytes, of %v in the copy", rel,
				info.Mode(), info.Size(), info.ModTime(), other.Mode(), other.Size(), other.ModTime())
		case os.SameFile(info, other):
			return nil
		}
		return sameBytes(filepath.Join(want, rel), filepath.Join(got, rel))
	})
	if err != nil {
		return err
	}
	err = eachFile(got, func(string, fs.FileInfo) error {
		files--
		return nil
	})
	if err == nil && files != 0 {
		err = fmt.Errorf("the copy has %d files more than the source", -files)
	}
	return err
}

func eachFile(dir string, visit func(rel string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return visit(rel, info)
	})
}

func sameBytes(a, b string) error {
	fa, err := os.Open(a)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return err
	}
	defer fb.Close()
	ba, bb := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		na, ea := io.ReadFull(fa, ba)
		nb, eb := io.ReadFull(fb, bb)
		if !bytes.Equal(ba[:na], bb[:nb]) {
			return fmt.Errorf("%s and %s differ", a, b)
		}
		if ea != nil || eb != nil {
			if ea == eb || ea != nil && eb != nil {
				return nil // both at their ends: what is read is the same
			}
			return fmt.Errorf("%s and %s: %w, %w", a, b, ea, eb)
		}
	}
}

// room is how many bytes a file system has left.
func room(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
