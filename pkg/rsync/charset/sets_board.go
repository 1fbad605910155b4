//go:build board

package charset

// sets are the character sets of this build. A board has few: x/text's
// tables of bytes alone would be 90 kB of its program, and all of them 700.
func sets() []set { return fewSets() }
