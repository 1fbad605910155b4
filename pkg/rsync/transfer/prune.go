package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// prune drops from the list the folders in which nothing is transferred, and
// those in which only such folders are (flist.c:flist_sort_and_clean). The
// transfer's root stays, and so does a folder that the rules protect.
func (r *receiver) prune(list *filelist.List) {
	var doubtful []*filelist.Entry // a chain of folders, outermost first
	for _, e := range list.All() {
		if e.Mark&filelist.MarkDropped != 0 {
			continue
		}
		doubtful = dropBeside(doubtful, e.Path())
		if !e.IsDir() || e.Dir == "" && e.Base == "." {
			doubtful = doubtful[:0] // all that are left lead here
			continue
		}
		if r.rules != nil && r.rules.Protected(e.Path(), true, false) {
			doubtful = doubtful[:0]
			continue
		}
		doubtful = append(doubtful, e)
	}
	dropBeside(doubtful, "")
}

// dropBeside drops the folders at the end of a chain that are not above p, and
// returns the rest of it.
func dropBeside(chain []*filelist.Entry, p string) []*filelist.Entry {
	for n := len(chain); n > 0; n-- {
		last := chain[n-1]
		if _, above := Below(last.Path(), p); above {
			break
		}
		last.Mark |= filelist.MarkDropped
		chain = chain[:n-1]
	}
	return chain
}
