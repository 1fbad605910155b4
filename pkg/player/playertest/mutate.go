package playertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"
)

// Day is what [Mutate] did, by FID.
type Day struct {
	Added     []FID // new tunes and their album
	Retagged  []FID // other tags, the same body
	Trimmed   []FID // the end of the body cut off
	Deleted   []FID // gone
	Reused    []FID // deleted, and the number given to another tune, on the other drive if there is one
	Playlists []FID // whose children changed
}

func (d Day) String() string {
	return fmt.Sprintf("%d added, %d retagged, %d trimmed, %d deleted, %d reused, %d playlists changed",
		len(d.Added), len(d.Retagged), len(d.Trimmed), len(d.Deleted), len(d.Reused), len(d.Playlists))
}

// Mutate edits the player below dir as its owner does on an ordinary day, and then
// saves the database, as a player does after a synchronisation. Every file it
// writes is dated a day after the newest that was there. The same player and seed
// give the same result.
func Mutate(dir string, seed uint64) (Day, error) {
	e, err := newEditor(dir, seed)
	if err != nil {
		return Day{}, fmt.Errorf("edit the player in %s: %w", dir, err)
	}
	for _, step := range []func() error{e.addAlbum, e.retag, e.trim, e.reuse, e.delete, e.reorder, e.finish} {
		if err := step(); err != nil {
			return e.day, fmt.Errorf("edit the player in %s: %w", dir, err)
		}
	}
	return e.day, nil
}

// editor holds a player's music while it is edited.
type editor struct {
	store
	release Release
	layout  Layout // of new files
	rng     *rand.Rand
	now     time.Time
	music   library
	where   map[FID]entry // by file number
	tunes   []FID         // in an order of chance; each edit takes its own from the front
	lists   map[FID][]FID // children of playlists as they are to be
	day     Day
}

func newEditor(dir string, seed uint64) (*editor, error) {
	e := &editor{store: store{dir}, rng: newRand(seed ^ 0xda7), layout: Flat, lists: make(map[FID][]FID)}
	var broken []string
	var err error
	if e.release, err = installed(dir); err != nil {
		return nil, err
	}
	if e.music, broken, err = e.scan(); err != nil {
		return nil, err
	}
	if len(broken) > 0 {
		return nil, fmt.Errorf("broken: %s", broken[0])
	}
	if e.where, err = e.visible(); err != nil {
		return nil, err
	}
	for _, w := range e.where {
		if w.mtime.After(e.now) {
			e.now = w.mtime
		}
		if w.at.layout == Split {
			e.layout = Split
		}
	}
	e.now = e.now.Add(24 * time.Hour).UTC()
	for _, f := range e.music.fids() {
		if it := e.music[f]; it.isPlaylist() {
			e.lists[f] = it.children
		} else {
			e.tunes = append(e.tunes, f)
		}
	}
	e.rng.Shuffle(len(e.tunes), func(i, j int) { e.tunes[i], e.tunes[j] = e.tunes[j], e.tunes[i] })
	if least := 6; len(e.tunes) < least || len(e.lists) == 0 {
		return nil, fmt.Errorf("%d tunes and %d playlists: want at least %d tunes and a playlist", len(e.tunes), len(e.lists), least)
	}
	return e, nil
}

// some takes up to n tunes that no other edit has taken.
func (e *editor) some(n int) []FID {
	n = min(n, len(e.tunes))
	out := e.tunes[:n]
	e.tunes = e.tunes[n:]
	return out
}

// write lays down an item, a minute after the one before.
func (e *editor) write(f FID, at place, tags Tags, body []byte) error {
	if e.release == V2 {
		tags = tags.latin1()
	}
	e.now = e.now.Add(time.Minute)
	it := item{tags: tags}
	if it.isPlaylist() {
		var err error
		if it.children, err = ParseChildren(body); err != nil {
			return err
		}
	}
	if err := e.writeItem(f, at, tags, body, e.now); err != nil {
		return err
	}
	e.music[f] = it
	for _, number := range []FID{BodyOf(f), TagsOf(f)} {
		e.where[number] = entry{number, at, e.now}
	}
	return nil
}

// free is the lowest FID that is not in use: players fill their gaps first.
func (e *editor) free() FID {
	f := FirstFree
	for ; ; f += Step {
		if _, used := e.music[f]; !used {
			return f
		}
	}
}

func (e *editor) newTune(f FID, at place, track int) error {
	body := sine(e.rng)
	return e.write(f, at, tuneTags(e.rng, "Harbour", songTitle(e.rng), "New today", track, body, e.now), body)
}

func (e *editor) addAlbum() error {
	list := e.free()
	e.music[list] = item{} // keeps the number from being given away
	var children []FID
	for n := range 2 + e.rng.IntN(4) {
		f := e.free()
		drives := e.drives()
		at := place{drives[e.rng.IntN(len(drives))], e.layout}
		if err := e.newTune(f, at, n+1); err != nil {
			return err
		}
		children = append(children, f)
	}
	body := AppendChildren(nil, children)
	title := "New " + strconv.FormatInt(e.now.Unix(), 10)
	if err := e.write(list, place{0, e.layout}, playlistTags(title, len(body), e.now), body); err != nil {
		return err
	}
	e.lists[list] = children
	e.lists[RootPlaylist] = append(slices.Clone(e.lists[RootPlaylist]), list)
	e.day.Added = append(children, list)
	return nil
}

// retag rewrites only the tags files, in their places.
func (e *editor) retag() error {
	e.day.Retagged = e.some(2)
	for _, f := range e.day.Retagged {
		it := e.music[f]
		it.tags = it.tags.With("title", songTitle(e.rng)).With("comment", "retagged "+e.now.Format(time.DateOnly))
		if e.release == V2 {
			it.tags = it.tags.latin1()
		}
		e.now = e.now.Add(time.Minute)
		if err := writeFile(e.file(e.where[TagsOf(f)]), AppendTags(nil, it.tags), e.now); err != nil {
			return err
		}
		e.music[f] = it
	}
	return nil
}

func (e *editor) trim() error {
	e.day.Trimmed = e.some(1)
	for _, f := range e.day.Trimmed {
		body, err := os.ReadFile(e.file(e.where[BodyOf(f)]))
		if err != nil {
			return err
		}
		body = shorten(body)
		tags := probe(body).tags(e.music[f].tags, len(body))
		if err := e.write(f, e.where[BodyOf(f)].at, tags, body); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) reuse() error {
	e.day.Reused = e.some(1)
	drives := e.drives()
	for _, f := range e.day.Reused {
		at := e.where[BodyOf(f)].at
		if err := e.removeItem(f, at); err != nil {
			return err
		}
		at.drive = (at.drive + 1) % len(drives)
		if err := e.newTune(f, at, 1); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) delete() error {
	e.day.Deleted = e.some(2)
	for _, f := range e.day.Deleted {
		if err := e.removeItem(f, e.where[BodyOf(f)].at); err != nil {
			return err
		}
		delete(e.music, f)
		for list, children := range e.lists {
			e.lists[list] = slices.DeleteFunc(slices.Clone(children), func(c FID) bool { return c == f })
		}
	}
	return nil
}

// reorder turns round the longest playlist, and writes every playlist that changed.
func (e *editor) reorder() error {
	var longest FID
	ids := make([]FID, 0, len(e.lists))
	for f := range e.lists {
		ids = append(ids, f)
	}
	slices.Sort(ids)
	for _, f := range ids {
		if len(e.lists[f]) > len(e.lists[longest]) {
			longest = f
		}
	}
	turned := slices.Clone(e.lists[longest])
	slices.Reverse(turned)
	e.lists[longest] = turned
	for _, f := range ids {
		it := e.music[f]
		if slices.Equal(it.children, e.lists[f]) {
			continue
		}
		body := AppendChildren(nil, e.lists[f])
		if err := e.write(f, e.where[BodyOf(f)].at, it.tags.With("length", strconv.Itoa(len(body))), body); err != nil {
			return err
		}
		e.day.Playlists = append(e.day.Playlists, f)
	}
	if len(e.day.Playlists) == 0 {
		return errors.New("no playlist could be changed")
	}
	return nil
}

func (e *editor) finish() error {
	db, err := e.music.encode()
	if err != nil {
		return err
	}
	if err := db.save(e.root, e.release, e.now); err != nil {
		return err
	}
	return e.settle()
}
