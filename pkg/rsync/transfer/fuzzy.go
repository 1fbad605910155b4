package transfer

import (
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// similar are the files of one folder that may stand for a missing one.
type similar struct {
	dir   string
	files [][]rootfs.NamedInfo // in the destination, then in the other folders
}

// maxSimilar bounds how many files of a folder are compared with each missing
// one: the work grows with the square.
const maxSimilar = 10_000

// fuzzyBasis looks for a file with a similar name, or with the same size and
// time, in the folder where one is missing (generator.c:find_fuzzy).
func (g *generator) fuzzyBasis(e *filelist.Entry, p string, b *basis) {
	if g.opt.Fuzzy == 0 || g.void {
		return
	}
	dir := path.Dir(p)
	if g.near.dir != dir || g.near.files == nil {
		g.near = similar{dir: dir, files: g.similarIn(dir)}
	}
	place, found := -1, rootfs.NamedInfo{}
	lowest := fuzzyLimit
	for i, files := range g.near.files {
		for _, f := range files {
			if f.Size == e.Size && f.Mtime == e.Mtime {
				g.useFuzzy(b, i, dir, f)
				return
			}
		}
	}
	for i, files := range g.near.files {
		for _, f := range files {
			if d := nameDistance(f.Name, e.Base, lowest); d <= lowest {
				place, found, lowest = i, f, d
			}
		}
	}
	if place >= 0 {
		g.useFuzzy(b, place, dir, found)
	}
}

func (g *generator) useFuzzy(b *basis, place int, dir string, f rootfs.NamedInfo) {
	at := spot{g.root, path.Join(dir, f.Name)}
	if place > 0 {
		alt := g.alts[place-1]
		at = spot{alt.root, alt.path(path.Join(dir, f.Name))}
	}
	*b = basis{spot: at, kind: byte(proto.BasisFuzzy + place), info: f.Info, exists: true, name: f.Name}
}

// similarIn reads a folder here and, with -yy, in the other folders.
func (g *generator) similarIn(dir string) [][]rootfs.NamedInfo {
	places := []place{{root: g.root, dir: ".", rel: "."}}
	if g.opt.Fuzzy > 1 {
		places = append(places, g.alts...)
	}
	all := make([][]rootfs.NamedInfo, len(places))
	for i, pl := range places {
		infos, err := pl.root.ReadDirInfo(path.Join(pl.dir, dir))
		if err != nil {
			continue
		}
		for _, in := range infos {
			usable := in.Err == nil && in.IsRegular() && in.Size > 0 && !rootfs.IsTempName(in.Name)
			if usable && len(all[i]) < maxSimilar && !g.refused(path.Join(pl.rel, dir, in.Name), false) {
				all[i] = append(all[i], in)
			}
		}
	}
	return all
}

// Distances are in units, with the difference of characters as a fraction.
const (
	fuzzyUnit  = 1 << 16
	fuzzyLimit = 25 * fuzzyUnit
	fuzzyFar   = 1<<31 - 1
)

// nameDistance says how much two names differ; their ends count most.
func nameDistance(a, b string, limit int) int {
	d := editDistance(a, b, limit)
	if d < fuzzyFar {
		d += editDistance(nameEnd(a), nameEnd(b), fuzzyFar) * 10
	}
	return d
}

// nameEnd is a name's suffix: what follows its last dot, without what backup
// programs put behind. One of digits alone counts only if no other is before it
// (util1.c:find_filename_suffix).
func nameEnd(name string) string {
	name = strings.TrimLeft(name, ".")
	rest, tilde := name, false
	if len(name) > 1 {
		rest, tilde = strings.CutSuffix(name, "~")
	}
	end := ""
	for {
		i := strings.LastIndexByte(rest, '.')
		if i <= 0 {
			return end
		}
		part := rest[i:]
		last := len(rest) == len(name)
		rest = rest[:i]
		switch {
		case last && (part == ".bak" || part == ".old" || part == ".orig"):
			continue
		case tilde && len(part) > 2 && part[1] == '~' && part[2] >= '0' && part[2] <= '9':
			continue // a numbered backup, .~1~
		}
		if end = part; part == "." || strings.Trim(part[1:], "0123456789") != "" {
			return end
		}
	}
}

// editDistance is the number of changes that make a into b, in which changing
// a character counts for more the further it is from the other; fuzzyFar if
// it is surely above limit (util1.c:fuzzy_distance).
func editDistance(a, b string, limit int) int {
	if d := (len(a) - len(b)) * fuzzyUnit; max(d, -d) > limit {
		return fuzzyFar
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j * fuzzyUnit
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] += fuzzyUnit
		for j := range len(b) {
			cost := 0
			if a[i] != b[j] {
				apart := int(a[i]) - int(b[j])
				cost = fuzzyUnit + max(apart, -apart)
			}
			best := min(diagonal+cost, row[j]+fuzzyUnit, row[j+1]+fuzzyUnit)
			diagonal, row[j+1] = row[j+1], best
		}
	}
	return row[len(b)]
}
