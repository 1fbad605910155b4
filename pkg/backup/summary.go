package backup

import (
	"fmt"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
)

// Summary says in a few lines what a run has done, or would do; all is set where
// what is kept is to be named with the reason, too.
func (r Result) Summary(dryRun, all bool) string {
	if r.Snapshot.Name == "" {
		return ""
	}
	var b strings.Builder
	st := r.Stats
	done, gone := "transferred", "deleted"
	if dryRun {
		done, gone = "to transfer", "would be deleted"
	}
	fmt.Fprintf(&b, "%s: %s files of %s, %s %s (%s); received %s, sent %s, %s\n", r.Snapshot, logformat.Commas(int64(st.Files)), client.Size(st.TotalSize),
		logformat.Commas(int64(st.Transferred)), done, client.Size(st.TransferredSize), client.Size(st.Read), client.Size(st.Written), r.Elapsed.Round(time.Second/10))
	switch {
	case r.Base != "" && r.Resumed:
		fmt.Fprintf(&b, "shares what is unchanged with %s and with what an unfinished run had brought\n", r.Base)
	case r.Resumed:
		b.WriteString("went on with what an unfinished run had brought\n")
	case r.Base != "":
		fmt.Fprintf(&b, "shares what is unchanged with %s\n", r.Base)
	}
	if r.Vanished {
		b.WriteString("some files went while they were read (rsync's code 24); all others are there\n")
	}
	if v := r.Verified; v != nil && len(v.Differ) == 0 {
		fmt.Fprintf(&b, "verified: %s files read again on both sides, none damaged, %s changed since\n", logformat.Commas(int64(v.Files)), logformat.Commas(int64(len(v.Changed))))
	}
	kept := 0
	for _, d := range r.Plan {
		switch {
		case !d.Keep:
			fmt.Fprintf(&b, "%s: %s, %s\n", gone, d.Name, d.Reason)
		case all:
			fmt.Fprintf(&b, "kept: %s, %s\n", d.Name, d.Reason)
		}
		if d.Keep {
			kept++
		}
	}
	if r.Plan != nil {
		fmt.Fprintf(&b, "snapshots: %d kept, %d %s\n", kept, len(r.Plan)-kept, gone)
	}
	return b.String()
}
