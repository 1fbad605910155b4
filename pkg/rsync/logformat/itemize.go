package logformat

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Itemize returns the eleven characters that say what about an entry changes
// (log.c:log_formatted, %i). times is whether times are preserved.
func Itemize(e *filelist.Entry, f proto.Item, sending, times bool) string {
	b := []byte("..........." /* YXcstpoguax */)
	switch {
	case f&proto.ItemLocalChange != 0 && f&proto.ItemXname != 0:
		b[0] = 'h'
	case f&proto.ItemLocalChange != 0:
		b[0] = 'c'
	case f&proto.ItemTransfer != 0 && sending:
		b[0] = '<'
	case f&proto.ItemTransfer != 0:
		b[0] = '>'
	}
	b[1] = typeLetter(e)
	if f&(proto.ItemNew|proto.ItemMissing) != 0 {
		mark := byte('+')
		if f&proto.ItemNew == 0 {
			mark = '?'
		}
		for i := 2; i < len(b); i++ {
			b[i] = mark
		}
		return string(b)
	}
	set := func(i int, flag proto.Item, c byte) {
		if f&flag != 0 {
			b[i] = c
		}
	}
	set(2, proto.ItemChange, 'c')
	if !e.IsLink() {
		set(3, proto.ItemSize, 's')
	}
	t := byte('t')
	if !times || e.IsLink() && f&proto.ItemTimeFail != 0 {
		t = 'T'
	}
	set(4, proto.ItemTime, t)
	set(5, proto.ItemPerms, 'p')
	set(6, proto.ItemOwner, 'o')
	set(7, proto.ItemGroup, 'g')
	set(8, proto.ItemAtime, 'u')
	set(9, proto.ItemACL, 'a')
	set(10, proto.ItemXattr, 'x')
	if b[0] != '<' && b[0] != '>' && strings.Trim(string(b[2:]), ".") == "" {
		return string(b[:2]) + strings.Repeat(" ", len(b)-2)
	}
	return string(b)
}

func typeLetter(e *filelist.Entry) byte {
	switch {
	case e.IsDir():
		return 'd'
	case e.IsLink():
		return 'L'
	case e.IsDevice():
		return 'D'
	case e.IsSpecial():
		return 'S'
	}
	return 'f'
}
