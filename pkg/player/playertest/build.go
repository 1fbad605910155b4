package playertest

import (
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Release is the version of the player software whose files are laid out.
type Release uint8

// The releases.
const (
	V3 Release = iota // database3, UTF-8, split unless told otherwise
	V2                // database, Latin-1, flat unless told otherwise
)

func (r Release) String() string {
	if r == V2 {
		return "v2"
	}
	return "v3"
}

// ParseRelease reads the names that a Release prints.
func ParseRelease(s string) (Release, error) {
	for _, r := range []Release{V3, V2} {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("release %q: want v2 or v3", s)
}

// Options say what kind of player [Build] makes. The zero value is a version 3
// player of two drives that was upgraded from version 2.
type Options struct {
	Name    string   // the player's own name; "empeg" if empty
	Fids    int      // FIDs in use, playlists among them, each two files; 300 if 0, else at least 12
	Seed    uint64   // everything but the name depends on it
	Drives  int      // 1 or 2; 2 if 0
	Layout  Layout   // of the file names; a V2 player is never mixed and takes this as flat
	Release Release  // of the player software
	Bodies  []string // sound files taken in turn as tunes' bodies; sine waves are made if there are none
}

const (
	defaultFids = 300
	leastFids   = 12     // leaves room for the tunes that Mutate needs
	mostFids    = 65_536 // below maxFID with room for gaps
)

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = "empeg"
	}
	if o.Fids == 0 {
		o.Fids = defaultFids
	}
	if o.Drives == 0 {
		o.Drives = 2
	}
	if o.Release == V2 && o.Layout == Mixed {
		o.Layout = Flat
	}
	switch {
	case o.Fids < leastFids || o.Fids > mostFids:
		return o, fmt.Errorf("%d fids: want %d to %d", o.Fids, leastFids, mostFids)
	case o.Drives < 1 || o.Drives > 2:
		return o, fmt.Errorf("%d drives: a player has 1 or 2", o.Drives)
	case o.Layout > Split || o.Release > V2:
		return o, errors.New("unknown layout or release")
	}
	return o, nil
}

// Build lays out a player in dir, which must be absent or empty.
func Build(dir string, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return fmt.Errorf("build a player: %w", err)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("build a player in %s: the folder is not empty", dir)
	}
	if err := layRoot(dir, o); err != nil {
		return fmt.Errorf("build a player in %s: %w", dir, err)
	}
	b, err := newBuilder(dir, o)
	if err != nil {
		return fmt.Errorf("build a player in %s: %w", dir, err)
	}
	if err := b.fill(); err != nil {
		return fmt.Errorf("build a player in %s: %w", dir, err)
	}
	return nil
}

// builder fills the music store of a fresh player.
type builder struct {
	store
	o      Options
	rng    *rand.Rand
	bodies [][]byte
	made   int // items so far
	next   FID
	music  library
}

func newBuilder(dir string, o Options) (*builder, error) {
	b := &builder{store: store{dir}, o: o, rng: newRand(o.Seed), next: FirstFree, music: make(library)}
	for _, name := range o.Bodies {
		body, err := readBounded(name, 64<<20)
		if err != nil {
			return nil, fmt.Errorf("sound file %s: %w", name, err)
		}
		b.bodies = append(b.bodies, body)
	}
	return b, nil
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x656d706567)) }

// firstDay is when the first tune was laid on every player.
func firstDay() time.Time { return time.Date(2002, time.March, 7, 12, 21, 0, 0, time.UTC) }

// fill makes albums until o.Fids are in use, then a mix of them, then the root.
func (b *builder) fill() error {
	var albums, tunes, loose []FID
	budget := b.o.Fids - 2 - 1 // less the fixed playlists and the mix
	for b.made < budget {
		size := min(2+b.rng.IntN(14), budget-b.made-1)
		if size < 1 { // no room for another album: one tune that belongs nowhere
			f, err := b.tune(b.artist(), "Singles", 1)
			if err != nil {
				return err
			}
			loose = append(loose, f)
			continue
		}
		f, members, err := b.album(size)
		if err != nil {
			return err
		}
		albums, tunes = append(albums, f), append(tunes, members...)
	}
	mix := make([]FID, 0, 20)
	for range min(cap(mix), len(tunes)) {
		mix = append(mix, tunes[b.rng.IntN(len(tunes))])
	}
	f, err := b.playlist(b.take(), "Morning drive", mix)
	if err != nil {
		return err
	}
	if _, err := b.playlist(Unattached, "Unattached items", loose); err != nil {
		return err
	}
	if _, err := b.playlist(RootPlaylist, "empeg-car", append(albums, f, Unattached)); err != nil {
		return err
	}
	return b.finish()
}

// finish writes the database of what was made, and settles the folders' times. A
// player that was upgraded keeps its former release's database beside the new one.
func (b *builder) finish() error {
	db, err := b.music.encode()
	if err != nil {
		return err
	}
	mtime := b.clock()
	if err := db.save(b.root, b.o.Release, mtime); err != nil {
		return err
	}
	if b.o.Release == V3 && b.o.Layout == Mixed {
		old := make(library, len(b.music))
		for f, it := range b.music {
			old[f] = item{tags: it.tags.latin1()}
		}
		if db, err = old.encode(); err != nil {
			return err
		}
		if err := writeFile(filepath.Join(varDir(b.root), staticName(V2)), db.static, mtime); err != nil {
			return err
		}
	}
	return b.settle()
}

// take returns the next free FID, leaving a gap now and then as deletions do.
func (b *builder) take() FID {
	if b.rng.IntN(25) == 0 {
		b.next += Step
	}
	f := b.next
	b.next += Step
	return f
}

// clock is the time at which the next item is written: a minute apart.
func (b *builder) clock() time.Time { return firstDay().Add(time.Duration(b.made) * time.Minute) }

// where chooses the drive and layout of the next item: the first half flat when
// mixed, and two of five tunes on the second drive.
func (b *builder) where(tune bool) place {
	p := place{layout: b.o.Layout}
	if p.layout == Mixed {
		p.layout = Split
		if b.made < b.o.Fids/2 {
			p.layout = Flat
		}
	}
	if second := b.rng.IntN(5) < 2; tune && second && b.o.Drives == 2 {
		p.drive = 1
	}
	return p
}

func (b *builder) album(size int) (FID, []FID, error) {
	f := b.take()
	artist, title := b.artist(), b.title()
	members := make([]FID, 0, size)
	for n := range size {
		t, err := b.tune(artist, title, n+1)
		if err != nil {
			return 0, nil, err
		}
		members = append(members, t)
	}
	_, err := b.playlist(f, title, members)
	return f, members, err
}

func (b *builder) tune(artist, album string, track int) (FID, error) {
	var body []byte
	if len(b.bodies) > 0 {
		body = b.bodies[b.made%len(b.bodies)]
	} else {
		body = sine(b.rng)
	}
	f := b.take()
	return f, b.add(f, true, tuneTags(b.rng, artist, b.title(), album, track, body, b.clock()), body)
}

func (b *builder) playlist(f FID, title string, children []FID) (FID, error) {
	body := AppendChildren(nil, children)
	return f, b.add(f, false, playlistTags(title, len(body), b.clock()), body)
}

func (b *builder) add(f FID, tune bool, tags Tags, body []byte) error {
	if b.o.Release == V2 {
		tags = tags.latin1()
	}
	it := item{tags: tags.stored()}
	if !tune {
		var err error
		if it.children, err = ParseChildren(body); err != nil {
			return fmt.Errorf("playlist %x: %w", uint32(f), err)
		}
	}
	if err := b.writeItem(f, b.where(tune), tags, body, b.clock()); err != nil {
		return err
	}
	b.music[f] = it
	b.made++
	return nil
}

func playlistTags(title string, length int, at time.Time) Tags {
	return Tags{
		{"type", "playlist"}, {"title", title}, {"length", strconv.Itoa(length)},
		{"ctime", strconv.FormatInt(at.Unix(), 10)}, {"options", "0x0"},
	}
}

func tuneTags(rng *rand.Rand, artist, title, album string, track int, body []byte, at time.Time) Tags {
	t := Tags{
		{"type", "tune"}, {"title", title}, {"artist", artist}, {"source", album},
		{"tracknr", strconv.Itoa(track)}, {"genre", pick(rng, "Electronica", "Folk", "Jazz", "Rock")},
		{"year", strconv.Itoa(1965 + rng.IntN(38))}, {"ctime", strconv.FormatInt(at.Unix(), 10)},
	}
	t = probe(body).tags(t, len(body))
	return t.With("options", "0x0").With("rid", fmt.Sprintf("%x", md5.Sum(body)))
}

func (b *builder) artist() string {
	return pick(b.rng, "The ", "", "DJ ", "Björk's ") + pick(b.rng, "Harbour", "Lanterns", "Motörist", "Ninth Gate", "Quiet Cars", "Señor Fox")
}

func (b *builder) title() string { return songTitle(b.rng) }

func songTitle(rng *rand.Rand) string {
	return pick(rng, "Blue", "Für Elise's", "Last", "Long", "Silver", "Winter") + " " +
		pick(rng, "Bridge", "Café", "Motorway", "River", "Signal", "Summer") + " " + strconv.Itoa(1+rng.IntN(99))
}

func pick(rng *rand.Rand, from ...string) string { return from[rng.IntN(len(from))] }
