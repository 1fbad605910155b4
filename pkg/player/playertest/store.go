package playertest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// store is the music of the player whose root file system is the folder root.
type store struct{ root string }

// entry is one file of the store.
type entry struct {
	number FID
	at     place
	mtime  time.Time
}

func (s store) file(e entry) string {
	return filepath.Join(s.root, filepath.FromSlash(e.at.path(e.number)))
}

// drives lists the drives that have a fids folder.
func (s store) drives() []int {
	var out []int
	for d := range 2 {
		if st, err := os.Stat(s.fids(d)); err == nil && st.IsDir() {
			out = append(out, d)
		}
	}
	return out
}

func (s store) fids(drive int) string { return filepath.Join(s.root, driveName(drive), "fids") }

// list finds every file of the store, hidden ones included, ordered by number and
// then in the player's open order. Names that are no FIDs are left out.
func (s store) list() ([]entry, error) {
	var out []entry
	for _, d := range s.drives() {
		err := filepath.WalkDir(s.fids(d), func(name string, de fs.DirEntry, err error) error {
			if err != nil || !de.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(s.fids(d), name)
			if err != nil {
				return err
			}
			number, layout, ok := parseName(filepath.ToSlash(rel))
			if !ok {
				return nil
			}
			st, err := de.Info()
			if err != nil {
				return err
			}
			out = append(out, entry{number, place{d, layout}, st.ModTime()})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list the music store: %w", err)
		}
	}
	order := openOrder()
	slices.SortFunc(out, func(a, b entry) int {
		if a.number != b.number {
			return int(int64(a.number) - int64(b.number))
		}
		return slices.Index(order, a.at) - slices.Index(order, b.at)
	})
	return out, nil
}

// visible is list without the files that another one hides.
func (s store) visible() (map[FID]entry, error) {
	all, err := s.list()
	if err != nil {
		return nil, err
	}
	out := make(map[FID]entry, len(all))
	for _, e := range all {
		if _, hidden := out[e.number]; !hidden {
			out[e.number] = e
		}
	}
	return out, nil
}

// scan reads the tags and playlists as a rebuild does. Items that make no sense,
// as an interrupted transfer can leave them, are left out and named in broken.
func (s store) scan() (l library, broken []string, err error) {
	files, err := s.visible()
	if err != nil {
		return nil, nil, err
	}
	l = make(library)
	for number, e := range files {
		if TagsOf(number) != number {
			continue
		}
		it, err := s.readItem(files, e)
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			return nil, nil, err
		}
		if err != nil {
			broken = append(broken, fmt.Sprintf("%s: %v", e.at.path(number), err))
			continue
		}
		l[BodyOf(number)] = it
	}
	slices.Sort(broken)
	return l, broken, nil
}

// readItem reads the item whose tags file is e.
func (s store) readItem(files map[FID]entry, e entry) (item, error) {
	if e.number > maxFID {
		return item{}, fmt.Errorf("fid beyond %x", uint32(maxFID))
	}
	raw, err := readBounded(s.file(e), maxTagsFile)
	if err != nil {
		return item{}, err
	}
	tags, err := ParseTags(raw)
	if err != nil {
		return item{}, err
	}
	it := item{tags: tags}
	body, ok := files[BodyOf(e.number)]
	if !ok {
		return item{}, errors.New("has tags but no body")
	}
	if !it.isPlaylist() {
		return it, nil
	}
	raw, err = readBounded(s.file(body), maxBody)
	if err != nil {
		return item{}, err
	}
	if it.children, err = ParseChildren(raw); err != nil {
		return item{}, err
	}
	if size, err := playlistLength(tags); err != nil || size != len(raw) {
		return item{}, fmt.Errorf("length=%.20q, but the playlist has %d bytes", tags.Get("length"), len(raw))
	}
	return it, nil
}

// writeItem writes both files of an item with the given time.
func (s store) writeItem(f FID, at place, tags Tags, body []byte, mtime time.Time) error {
	for number, content := range map[FID][]byte{BodyOf(f): body, TagsOf(f): AppendTags(nil, tags)} {
		if err := writeFile(s.file(entry{number: number, at: at}), content, mtime); err != nil {
			return err
		}
	}
	return nil
}

// removeItem deletes both files of the item at the given place.
func (s store) removeItem(f FID, at place) error {
	return errors.Join(
		os.Remove(s.file(entry{number: BodyOf(f), at: at})),
		os.Remove(s.file(entry{number: TagsOf(f), at: at})))
}

// writeFile writes a file of mode 0644 whatever the umask, and its folder.
func writeFile(name string, content []byte, mtime time.Time) error {
	if err := makeDir(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return err
	}
	if err := os.Chmod(name, 0o644); err != nil {
		return err
	}
	return os.Chtimes(name, mtime, mtime)
}

// makeDir makes a folder of mode 0755 whatever the umask, unless it is there.
func makeDir(name string) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(name, 0o755); err != nil {
		return err
	}
	return os.Chmod(name, 0o755)
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	return b, nil
}

// settle sets the time of every folder of the store to that of the newest file
// below it, so that folders too depend on the seed alone.
func (s store) settle() error {
	files, err := s.list()
	if err != nil {
		return err
	}
	newest := make(map[string]time.Time)
	for _, d := range s.drives() {
		newest[s.fids(d)] = firstDay()
		dirs, err := os.ReadDir(s.fids(d))
		if err != nil {
			return err
		}
		for _, de := range dirs {
			if de.IsDir() { // may have been emptied by deletions
				newest[filepath.Join(s.fids(d), de.Name())] = firstDay()
			}
		}
	}
	for _, e := range files {
		for _, dir := range []string{filepath.Dir(s.file(e)), s.fids(e.at.drive)} {
			if newest[dir].Before(e.mtime) {
				newest[dir] = e.mtime
			}
		}
	}
	for dir, t := range newest {
		if err := os.Chtimes(dir, t, t); err != nil {
			return err
		}
	}
	return nil
}
