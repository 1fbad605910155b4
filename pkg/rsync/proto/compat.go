package proto

import "strings"

// Compat is the set of compatibility flags that a server of version 30 or
// later sends right after the version (compat.c: CF_*).
type Compat uint32

// The flags, with the letter by which a client shows that it knows the flag
// in its -e option (options.c:maybe_add_e_option).
const (
	CompatIncRecurse     Compat = 1 << 0 // i
	CompatSymlinkTimes   Compat = 1 << 1 // L
	CompatSymlinkIconv   Compat = 1 << 2 // s
	CompatSafeList       Compat = 1 << 3 // f
	CompatAvoidXattrOpt  Compat = 1 << 4 // x
	CompatSeedFirst      Compat = 1 << 5 // C
	CompatInplacePartial Compat = 1 << 6 // I
	CompatVarintFlags    Compat = 1 << 7 // v
	CompatID0Names       Compat = 1 << 8 // u
)

// ClientLetters returns the letters that a client shows a server in -e.
// Whether i may be shown depends on the options.
func ClientLetters() string { return "iLsfxCIvu" }

// CompatFor returns the flags that a server answers to a client that has
// shown these letters.
func CompatFor(letters string) Compat {
	flags := CompatSymlinkTimes
	for _, l := range []struct {
		letter string
		flag   Compat
	}{
		{"i", CompatIncRecurse},
		{"s", CompatSymlinkIconv},
		{"f", CompatSafeList},
		{"x", CompatAvoidXattrOpt},
		{"C", CompatSeedFirst},
		{"I", CompatInplacePartial},
		{"v", CompatVarintFlags},
		{"u", CompatID0Names},
	} {
		if strings.Contains(letters, l.letter) {
			flags |= l.flag
		}
	}
	return flags
}

// WithCompat returns c refined by the compatibility flags of this session.
func (c Caps) WithCompat(f Compat) Caps {
	c.IncRecurse = f&CompatIncRecurse != 0
	c.SymlinkTimes = f&CompatSymlinkTimes != 0
	c.SymlinkIconv = f&CompatSymlinkIconv != 0
	c.SafeList = f&CompatSafeList != 0 || c.ErrorsInList
	c.AvoidXattrOpt = f&CompatAvoidXattrOpt != 0
	c.XattrShortcut = c.XattrShortcut && !c.AvoidXattrOpt
	c.SeedFirst = f&CompatSeedFirst != 0
	c.InplacePartial = f&CompatInplacePartial != 0
	c.VarintFlags = f&CompatVarintFlags != 0
	c.Negotiates = c.VarintFlags
	c.ID0Names = f&CompatID0Names != 0
	return c
}
