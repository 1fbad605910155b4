package player

import (
	"fmt"
	"strconv"
	"strings"
)

// FID is the number of an item in the music store. Its low four bits say which
// of the item's files it is.
type FID uint32

// Well-known FIDs.
const (
	RootPlaylist FID = 0x100 // the playlist from which all others hang
	Unattached   FID = 0x110 // items in no playlist
	FirstItem    FID = 0x120 // the first that a user's item can have
)

// Layout is a way to name the file of a FID below a directory fids. Both may be
// mixed in one directory.
type Layout int

const (
	FlatLayout  Layout = iota // fids/186f0, written by player software 2
	SplitLayout               // fids/_00018/6f0, written by player software 3
)

// Path is the file's name below the directory fids, slash-separated.
func (f FID) Path(layout Layout) string {
	if layout == SplitLayout {
		return fmt.Sprintf("_%05x/%03x", uint32(f)>>12, uint32(f)&0xfff)
	}
	return strconv.FormatUint(uint64(f), 16)
}

// IsBody reports whether the file is the audio or the playlist itself.
func (f FID) IsBody() bool { return f&0xf == 0 }

// IsTags reports whether the file holds the item's tags.
func (f FID) IsTags() bool { return f&0xf == 1 }

// String is the FID in hexadecimal, as the player shows it.
func (f FID) String() string { return f.Path(FlatLayout) }

// ParsePath is the reverse of FID.Path. It takes only names as the player writes
// them: lower case, no leading zeros in the flat layout, five and three digits
// in the split one.
func ParsePath(name string) (FID, Layout, error) {
	layout, digits := FlatLayout, name
	if split, ok := strings.CutPrefix(name, "_"); ok {
		high, low, _ := strings.Cut(split, "/")
		layout, digits = SplitLayout, high+low
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || FID(n).Path(layout) != name {
		return 0, 0, fmt.Errorf("%q is not the name of a fid", name)
	}
	return FID(n), layout, nil
}
