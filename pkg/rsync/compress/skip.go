package compress

import (
	"fmt"
	"path"
	"strings"
)

// DefaultSkip is the value of --skip-compress and "dont compress" where none
// is given: suffixes of files that do not get smaller
// (loadparm.c, "dont compress").
const DefaultSkip = "3g2/3gp/7z/aac/ace/apk/avi/bz2/deb/dmg/ear/f4v/flac/flv/gpg/gz/iso/jar/jpeg/jpg/lrz/lz/lz4/" +
	"lzma/lzo/m1a/m1v/m2a/m2ts/m2v/m4a/m4b/m4p/m4r/m4v/mka/mkv/mov/mp1/mp2/mp3/mp4/mpa/mpeg/mpg/mpv/mts/" +
	"odb/odf/odg/odi/odm/odp/ods/odt/oga/ogg/ogm/ogv/ogx/opus/otg/oth/otp/ots/ott/oxt/png/qt/rar/rpm/rz/rzip/" +
	"spx/squashfs/sxc/sxd/sxg/sxm/sxw/sz/tbz/tbz2/tgz/tlz/ts/txz/tzo/vob/war/webm/webp/xz/z/zip/zst"

// SkipRules says which files are sent with as little effort as the algorithm
// allows. The zero value skips none. Rules only decide how a sender spends its
// time: any receiver understands the result.
//
// rsync since 3.2.0 accepts its rules and ignores them; [Writer.Store] obeys
// them wherever the algorithm can.
type SkipRules struct {
	all      bool
	plain    map[string]bool
	classes  [][]string // a suffix a row, the allowed letters of each place
	patterns []string   // for path.Match, lower case
}

// AddSuffixes adds a list as --skip-compress has it: suffixes without a dot
// separated by slashes, where [abc] stands for one of the letters
// (token.c:add_nocompress_suffixes). No other character is special.
func (s *SkipRules) AddSuffixes(list string) {
	for suffix := range strings.SplitSeq(list, "/") {
		if suffix != "" {
			s.addSuffix(strings.ToLower(suffix))
		}
	}
}

// addSuffix adds one suffix in lower case.
func (s *SkipRules) addSuffix(suffix string) {
	if !strings.Contains(suffix, "[") {
		if s.plain == nil {
			s.plain = make(map[string]bool)
		}
		s.plain[suffix] = true
		return
	}
	var places []string
	for i := 0; i < len(suffix); i++ {
		// "[" without "]", and "[]", are letters like others.
		if end := strings.IndexByte(suffix[i:], ']'); suffix[i] == '[' && end > 1 {
			places = append(places, suffix[i+1:i+end])
			i += end
			continue
		}
		places = append(places, suffix[i:i+1])
	}
	s.classes = append(s.classes, places)
}

// AddPatterns adds a list as a daemon's "dont compress" has it: patterns for
// whole file names separated by spaces, "*" alone for every file
// (token.c:init_set_compression).
func (s *SkipRules) AddPatterns(list string) error {
	for p := range strings.FieldsSeq(strings.ToLower(list)) {
		switch suffix, ok := strings.CutPrefix(p, "*."); {
		case p == "*":
			s.all = true
		case ok && suffix != "" && !strings.ContainsAny(suffix, ".?*\\"):
			s.addSuffix(suffix)
		default:
			if _, err := path.Match(p, ""); err != nil {
				return fmt.Errorf("dont compress: pattern %q: %w", p, err)
			}
			s.patterns = append(s.patterns, p)
		}
	}
	return nil
}

// Skip reports whether the file of this name or path is one to spend little
// effort on. Case does not matter (token.c:set_compression of rsync 3.1).
func (s *SkipRules) Skip(name string) bool {
	if s.all {
		return true
	}
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	for _, p := range s.patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return false
	}
	suffix := name[dot+1:]
	if s.plain[suffix] {
		return true
	}
	for _, places := range s.classes {
		if fits(places, suffix) {
			return true
		}
	}
	return false
}

// fits reports whether each letter of suffix is among those of its place.
func fits(places []string, suffix string) bool {
	if len(places) != len(suffix) {
		return false
	}
	for i, letters := range places {
		if strings.IndexByte(letters, suffix[i]) < 0 {
			return false
		}
	}
	return true
}
