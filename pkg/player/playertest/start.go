package playertest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrLies is the error of [Start] for a database that the player would believe
// although the music store holds something else.
var ErrLies = errors.New("the database does not tell what the music store holds")

// Report is what a player did at its start.
type Report struct {
	Rebuilt   bool     // the database was made anew
	Reason    string   // why it was, in a line
	Saved     bool     // what was made anew could be saved
	Tunes     int      // that the player knows now
	Playlists int      // that the player knows now
	Broken    []string // files that a rebuild left out, and why
}

func (r Report) String() string {
	s := fmt.Sprintf("%d tunes, %d playlists; database ", r.Tunes, r.Playlists)
	if !r.Rebuilt {
		return s + "loaded"
	}
	s += "rebuilt (" + r.Reason + ")"
	if !r.Saved {
		s += ", but not saved: the next start rebuilds again"
	}
	for _, b := range r.Broken {
		s += "\nleft out " + b
	}
	return s
}

// Start does with the database below dir what a player does when it starts: it
// loads the tags, the static database and the playlists, and if one of them is
// missing or cannot be read it makes all of them anew from the music store and
// saves them, the playlists last. Where saving fails, a player carries on without
// a word; Report.Saved tells.
//
// A player believes a database that it could load. Start compares it with the
// music store, changes nothing where they differ, and returns an error that wraps
// [ErrLies].
func Start(dir string) (Report, error) {
	s := store{dir}
	release, err := installed(dir)
	if err != nil {
		return Report{}, err
	}
	music, broken, err := s.scan()
	if err != nil {
		return Report{}, err
	}
	loaded, err := load(dir, release)
	if err == nil {
		if diff := loaded.differences(music); len(diff) > 0 {
			return loaded.report(), fmt.Errorf("%w: %s", ErrLies, strings.Join(append(diff, broken...), "; "))
		}
		return loaded.report(), nil
	}
	r := music.report()
	r.Rebuilt, r.Reason, r.Broken = true, reason(err), broken
	db, err := music.encode()
	if err != nil {
		return r, err
	}
	r.Saved = db.save(dir, release, time.Time{}) == nil
	return r, nil
}

// reason is err in a line without the name of a temporary folder.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return filepath.Base(pathErr.Path) + ": " + pathErr.Err.Error()
	}
	return err.Error()
}

// staticName is the name of the static database.
func staticName(r Release) string {
	if r == V2 {
		return "database"
	}
	return "database3"
}

// DatabaseFiles lists those of a player's database files that exist below dir, by
// their names in /empeg/var.
func DatabaseFiles(dir string) []string {
	var out []string
	for _, name := range []string{"database", "database3", "playlists", "tags"} {
		if _, err := os.Lstat(filepath.Join(varDir(dir), name)); err == nil {
			out = append(out, name)
		}
	}
	return out
}

const maxDatabase = 64 << 20

// load reads the database in the player's order.
func load(dir string, release Release) (library, error) {
	var db database
	for _, f := range []struct {
		name string
		into *[]byte
	}{{"tags", &db.tags}, {staticName(release), &db.static}, {"playlists", &db.playlists}} {
		b, err := readBounded(filepath.Join(varDir(dir), f.name), maxDatabase)
		if err != nil {
			return nil, err
		}
		*f.into = b
	}
	return db.decode()
}

// save writes the database, the playlists last, so that they show a complete save.
// A zero mtime leaves the files with the time of writing.
func (db database) save(dir string, release Release, mtime time.Time) error {
	for _, f := range []struct {
		name    string
		content []byte
	}{{"tags", db.tags}, {staticName(release), db.static}, {"playlists", db.playlists}} {
		if err := writeFile(filepath.Join(varDir(dir), f.name), f.content, mtime); err != nil {
			return err
		}
	}
	return nil
}

func (l library) report() Report {
	var r Report
	for _, it := range l {
		if it.isPlaylist() {
			r.Playlists++
		} else {
			r.Tunes++
		}
	}
	return r
}

// differences says where l, a database, departs from the music: up to five lines.
func (l library) differences(music library) []string {
	const most = 5
	both := maps.Clone(l)
	maps.Copy(both, music)
	var out []string
	for _, f := range both.fids() {
		told, known := l[f]
		real, exists := music[f]
		switch {
		case !exists:
			out = append(out, fmt.Sprintf("fid %x is known but does not exist", uint32(f)))
		case !known:
			out = append(out, fmt.Sprintf("fid %x exists but is not known", uint32(f)))
		case !sameTags(told.tags, real.tags.stored()):
			out = append(out, fmt.Sprintf("fid %x has other tags", uint32(f)))
		case !slices.Equal(told.children, real.children):
			out = append(out, fmt.Sprintf("fid %x has other children", uint32(f)))
		}
		if len(out) == most {
			return append(out, "and perhaps more")
		}
	}
	return out
}

// sameTags compares without regard to order, which a database need not keep.
func sameTags(a, b Tags) bool {
	if len(a) != len(b) {
		return false
	}
	values := make(map[string]string, len(a))
	for _, tag := range a {
		values[tag.Name] = tag.Value
	}
	for _, tag := range b {
		if v, ok := values[tag.Name]; !ok || v != tag.Value {
			return false
		}
	}
	return true
}
