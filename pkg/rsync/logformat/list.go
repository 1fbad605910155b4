package logformat

import (
	"fmt"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// ListLine writes an entry as --list-only shows it: mode, size, time, name.
// level is that of -h; links adds the targets of symbolic links.
// Names stand in it as they are (generator.c:list_file_entry).
func ListLine(e *filelist.Entry, level int, links bool, zone *time.Location) string {
	width := 14
	if level < 0 {
		width = 11
	}
	name := e.Path()
	if e.IsLink() && links {
		name += " -> " + e.Target()
	}
	return fmt.Sprintf("%s %*s %s %s", Permissions(e.Mode), width, Number(e.Size, level),
		time.Unix(e.Mtime, 0).In(zone).Format("2006/01/02 15:04:05"), name)
}

// Permissions writes a mode as ls does (lib/permstring.c).
func Permissions(mode uint32) string {
	b := []byte("?rwxrwxrwx")
	for i := range 9 {
		if mode&(0o400>>i) == 0 {
			b[i+1] = '-'
		}
	}
	for i, c := range "sst" {
		if mode&(0o4000>>i) == 0 {
			continue
		}
		at := 3 * (i + 1)
		if b[at] == 'x' {
			b[at] = byte(c)
		} else {
			b[at] = byte(c) - 'a' + 'A'
		}
	}
	b[0] = map[uint32]byte{
		filelist.ModeFile: '-', filelist.ModeDir: 'd', filelist.ModeLink: 'l', filelist.ModeBlock: 'b',
		filelist.ModeChar: 'c', filelist.ModeFifo: 'p', filelist.ModeSocket: 's',
	}[mode&filelist.ModeType]
	if b[0] == 0 {
		b[0] = '?'
	}
	return string(b)
}
