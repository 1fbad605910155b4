package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Kinds counts files by type, in the order in which statistics name them.
type Kinds struct{ Regular, Dirs, Links, Devices, Specials int }

// DeletedKinds returns what a transfer has deleted: what it has counted itself
// or heard of in the end, or else seen, as counted in seen.
func DeletedKinds(st transfer.Stats, seen Kinds) Kinds {
	d := st.DeletedKinds
	if d == [5]int{} {
		return seen
	}
	return Kinds{Regular: d[0], Dirs: d[1], Links: d[2], Devices: d[3], Specials: d[4]}
}

// add counts a file of this mode.
func (k *Kinds) add(mode uint32) {
	switch mode & filelist.ModeType {
	case filelist.ModeFile:
		k.Regular++
	case filelist.ModeDir:
		k.Dirs++
	case filelist.ModeLink:
		k.Links++
	case filelist.ModeBlock, filelist.ModeChar:
		k.Devices++
	default:
		k.Specials++
	}
}

// String writes "8 (reg: 3, dir: 4, link: 1)", or "0" (main.c:output_itemized_counts).
func (k Kinds) String() string {
	total := 0
	var parts []string
	for _, p := range []struct {
		name string
		n    int
	}{{"reg", k.Regular}, {"dir", k.Dirs}, {"link", k.Links}, {"dev", k.Devices}, {"special", k.Specials}} {
		if total += p.n; p.n > 0 {
			parts = append(parts, p.name+": "+logformat.Commas(int64(p.n)))
		}
	}
	s := logformat.Commas(int64(total))
	if len(parts) > 0 {
		s += " (" + strings.Join(parts, ", ") + ")"
	}
	return s
}

// Summary is what is said at the end of a run.
type Summary struct {
	Options *options.Options
	Caps    proto.Caps // what the two sides have agreed on
	Stats   transfer.Stats
	Created Kinds
	Deleted Kinds
	Elapsed time.Duration
}

// String gives the lines that the options ask for, with the empty lines before
// them (main.c:output_summary).
func (s Summary) String() string {
	o := s.Options
	var b strings.Builder
	if o.Quiet > 0 {
		return ""
	}
	if o.Info(options.InfoStats) > 1 {
		s.statistics(&b)
	}
	if o.Info(options.InfoStats) > 0 {
		moved := s.Stats.Read + s.Stats.Written
		rate := float64(moved) / (0.5 + s.Elapsed.Truncate(time.Second).Seconds())
		h := o.HumanReadable
		fmt.Fprintf(&b, "\nsent %s bytes  received %s bytes  %s bytes/sec\n", logformat.Number(s.Stats.Written, h), logformat.Number(s.Stats.Read, h), logformat.Decimal(rate, h))
		fmt.Fprintf(&b, "total size is %s  speedup is %s", logformat.Number(s.Stats.TotalSize, h), logformat.Decimal(Speedup(s.Stats), h))
		switch {
		case o.OnlyBatch:
			b.WriteString(" (BATCH ONLY)")
		case o.DryRun:
			b.WriteString(" (DRY RUN)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s Summary) statistics(b *strings.Builder) {
	st := s.Stats
	n := func(v int64) string { return logformat.Number(v, s.Options.HumanReadable) }
	all := Kinds{st.Files, st.Dirs, st.Links, st.Devices, st.Specials}
	fmt.Fprintf(b, "\nNumber of files: %s\n", all)
	if s.Caps.ItemFlags { // before, nobody knows
		fmt.Fprintf(b, "Number of created files: %s\n", s.Created)
	}
	if s.Caps.DeleteStats {
		fmt.Fprintf(b, "Number of deleted files: %s\n", s.Deleted)
	}
	fmt.Fprintf(b, "Number of regular files transferred: %s\n", logformat.Commas(int64(st.Transferred)))
	fmt.Fprintf(b, "Total file size: %s bytes\n", n(st.TotalSize))
	fmt.Fprintf(b, "Total transferred file size: %s bytes\n", n(st.TransferredSize))
	fmt.Fprintf(b, "Literal data: %s bytes\n", n(st.Literal))
	fmt.Fprintf(b, "Matched data: %s bytes\n", n(st.Matched))
	fmt.Fprintf(b, "File list size: %s\n", n(st.ListSize))
	if st.ListBuild > 0 { // else nobody knows
		fmt.Fprintf(b, "File list generation time: %.3f seconds\n", st.ListBuild.Seconds())
		fmt.Fprintf(b, "File list transfer time: %.3f seconds\n", st.ListTransfer.Seconds())
	}
	fmt.Fprintf(b, "Total bytes sent: %s\n", n(st.Written))
	fmt.Fprintf(b, "Total bytes received: %s\n", n(st.Read))
}
