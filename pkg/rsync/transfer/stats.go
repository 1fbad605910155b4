package transfer

import (
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// Stats is what a transfer has counted, on whichever side it was counted.
type Stats struct {
	Files, Dirs, Links, Devices, Specials int    // list entries
	DeletedKinds                          [5]int // files, folders, links, devices, specials
	Created, Deleted, Transferred         int    // items
	Newer                                 int    // left alone for --update: newer here
	TotalSize, TransferredSize            int64  // bytes of regular files
	Literal, Matched                      int64  // bytes of file data
	Read, Written                         int64  // bytes on the wire
	ListSize                              int64  // bytes of the file list
	ListBuild, ListTransfer               time.Duration
}

// Count adds a list entry to the counts.
func (s *Stats) Count(e *filelist.Entry) {
	switch {
	case e.IsRegular():
		s.Files++
		s.TotalSize += e.Size
	case e.IsDir():
		s.Dirs++
	case e.IsLink():
		s.Links++
		s.TotalSize += e.Size
	case e.IsDevice():
		s.Devices++
	case e.IsSpecial():
		s.Specials++
	}
}

func (c *common) count(e *filelist.Entry) {
	c.stats.Count(e)
	if c.total != nil {
		c.total.Total(c.stats.TotalSize)
	}
}

// Millis is a duration as statistics tell it, at most a year.
func Millis(n int64) time.Duration {
	const year = 365 * 24 * time.Hour
	return time.Duration(min(max(n, 0), int64(year/time.Millisecond))) * time.Millisecond
}
