package playertest

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// FID is the number by which a player knows one tune or playlist. The lowest
// four bits say what a file of it holds, see [BodyOf] and [TagsOf]; in the FID
// itself they are zero.
type FID uint32

// The FIDs that every player has, and the distance between two FIDs.
const (
	RootPlaylist FID = 0x100 // what the player's menu starts from
	Unattached   FID = 0x110 // tunes that stand in no other playlist
	FirstFree    FID = 0x120 // the first that a new tune may get
	Step         FID = 0x10
)

// maxFID bounds what is accepted from a file name: the database spends a byte on
// every unused FID below the highest, so that one odd name could fill a disk.
const maxFID FID = 0x1000000

// BodyOf is the number of the file that holds a tune's sound or a playlist's children.
func BodyOf(f FID) FID { return f &^ 0xf }

// TagsOf is the number of the file that holds the tags.
func TagsOf(f FID) FID { return f&^0xf | 1 }

// Layout says how file numbers become names below a drive's fids folder.
type Layout uint8

// The layouts. Mixed is what a player holds that was upgraded: the older half
// flat, the newer half split.
const (
	Mixed Layout = iota
	Flat         // fids/186f0, as version 2 writes
	Split        // fids/_00018/6f0, as version 3 writes
)

// ParseLayout reads the names that a Layout prints.
func ParseLayout(s string) (Layout, error) {
	for l := Mixed; l <= Split; l++ {
		if l.String() == s {
			return l, nil
		}
	}
	return 0, fmt.Errorf("layout %q: want mixed, flat or split", s)
}

func (l Layout) String() string {
	switch l {
	case Flat:
		return "flat"
	case Split:
		return "split"
	}
	return "mixed"
}

// name is a file's path below fids. Mixed has no single answer and counts as split.
func (l Layout) name(number FID) string {
	if l == Flat {
		return fmt.Sprintf("%x", uint32(number))
	}
	return fmt.Sprintf("_%05x/%03x", uint32(number>>12), uint32(number&0xfff))
}

// parseName is the inverse of Layout.name. It accepts exactly the names that a
// player writes; anything else in a fids folder is not a FID.
func parseName(name string) (number FID, layout Layout, ok bool) {
	layout, digits := Flat, name
	if dir, base, split := strings.Cut(name, "/"); split {
		if len(dir) != 6 || dir[0] != '_' || len(base) != 3 {
			return 0, 0, false
		}
		layout, digits = Split, dir[1:]+base
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || layout.name(FID(n)) != name {
		return 0, 0, false
	}
	return FID(n), layout, true
}

// place is where one file of the music store lies.
type place struct {
	drive  int
	layout Layout
}

// path is the file's name below the player's root, slash-separated.
func (p place) path(number FID) string {
	return path.Join(driveName(p.drive), "fids", p.layout.name(number))
}

// openOrder is the order in which a player looks for a file; the first hit wins,
// so that a stale copy on drive0 hides the one on drive1.
func openOrder() []place {
	return []place{{0, Split}, {0, Flat}, {1, Split}, {1, Flat}}
}

func driveName(drive int) string { return "drive" + strconv.Itoa(drive) }
