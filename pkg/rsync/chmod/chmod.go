// Package chmod reads the changes of permissions that --chmod and the daemon's
// "incoming chmod" and "outgoing chmod" name, and applies them to modes.
//
//	m, err := chmod.Parse("Dg+s,F644,o-w", umask)
//	mode = m.Apply(mode)
//
// The language is chmod(1)'s: items divided by commas, each either octal digits
// or classes (u, g, o, a), an operator (+, -, =) and permissions (r, w, x, X, s,
// t) or one class to copy from. A "D" or "F" in front limits an item to folders
// or to everything else.
package chmod

import (
	"fmt"
	"strings"
)

// bits of st_mode
const (
	permBits = 0o7777
	typeBits = 0o170000
	typeDir  = 0o040000
	anyExec  = 0o111
)

// Modes is a list of changes, applied one after the other. nil changes nothing.
type Modes []change

// change is one item, ready to be applied.
type change struct {
	dirs, files bool // only for these
	keepX       bool // X: execute bits only where there are some, or on folders
	subtract    bool
	and, or     uint32
	from        uint32 // class to copy from: 0100, 0010, 0001; 0: none
	to          uint32 // classes to copy to
	copyMask    uint32
}

// Parse reads a list of items. Where an item names no class, the umask (permission bits that new files
// do not get) limits what it grants (chmod.c:parse_chmod). The error names the item.
func Parse(text string, umask uint32) (Modes, error) {
	var m Modes
	for item := range strings.SplitSeq(text, ",") {
		p := parser{rest: item}
		if !p.item() {
			return nil, fmt.Errorf("invalid mode change %q in %q", item, text)
		}
		m = append(m, p.change(umask))
	}
	return m, nil
}

// parser takes one item apart.
type parser struct {
	rest        string
	dirs, files bool
	where       uint32 // classes: 0100, 0010, 0001
	special     uint32 // set-id bits of the classes
	op          byte   // '+', '-', '=' or '8' for octal digits
	what        uint32 // rwx of one class; all of it for octal digits
	extra       uint32 // set-id and sticky bits
	from        uint32
	keepX       bool
}

func (p *parser) item() bool {
	for p.rest != "" {
		c := p.rest[0]
		if '0' <= c && c <= '7' && p.where == 0 {
			return p.octal()
		}
		p.rest = p.rest[1:]
		switch c {
		case 'D':
			p.dirs = true
		case 'F':
			p.files = true
		case 'u':
			p.where |= 0o100
			p.special |= 0o4000
		case 'g':
			p.where |= 0o010
			p.special |= 0o2000
		case 'o':
			p.where |= 0o001
		case 'a':
			p.where |= 0o111
		case '+', '-', '=':
			p.op = c
			return !(p.dirs && p.files) && p.permissions()
		default:
			return false
		}
	}
	return false // nothing to do is a mistake
}

func (p *parser) octal() bool {
	p.op = '8'
	for _, c := range []byte(p.rest) {
		if c < '0' || c > '7' {
			return false
		}
		if p.what = p.what*8 + uint32(c-'0'); p.what > permBits {
			return false
		}
	}
	return !(p.dirs && p.files)
}

func (p *parser) permissions() bool {
	for _, c := range []byte(p.rest) {
		if p.from != 0 {
			return false // a class stands alone
		}
		switch c {
		case 'r':
			p.what |= 4
		case 'w':
			p.what |= 2
		case 'X':
			p.keepX = true
			p.what |= 1
		case 'x':
			p.what |= 1
		case 's':
			if p.special != 0 {
				p.extra |= p.special
			} else {
				p.extra = 0o4000 // as rsync: forgets a "t" before it
			}
		case 't':
			p.extra |= 0o1000
		case 'u', 'g', 'o':
			if p.what|p.extra != 0 {
				return false
			}
			p.from = map[byte]uint32{'u': 0o100, 'g': 0o010, 'o': 0o001}[c]
		default:
			return false
		}
	}
	return true
}

// change works out the masks of a parsed item.
func (p *parser) change(umask uint32) change {
	c := change{dirs: p.dirs, files: p.files, keepX: p.keepX, from: p.from, copyMask: permBits}
	where, bits := p.where, p.where*p.what
	if where == 0 {
		where = 0o111
		bits = where * p.what &^ umask
		c.copyMask = ^umask
	}
	c.to = where
	switch p.op {
	case '8':
		c.or = p.what
	case '+':
		c.and, c.or = permBits, bits+p.extra
	case '-':
		c.and, c.subtract = permBits&^(bits|p.extra), true
	case '=':
		clear := where * 7
		if p.extra != 0 {
			clear |= p.special
		}
		if p.from != 0 {
			clear |= specials(where)
		}
		c.and, c.or = permBits&^clear, bits+p.extra
	}
	return c
}

// specials are the set-id and sticky bits that belong to classes.
func specials(where uint32) uint32 {
	return where&0o100<<5 | where&0o010<<7 | where&0o001<<9
}

// Apply changes the permission bits of mode, a whole st_mode: its type decides
// which items apply. Symbolic links have no permissions and are the caller's to
// leave out (chmod.c:tweak_mode).
func (m Modes) Apply(mode uint32) uint32 {
	kind := mode & typeBits
	isDir := kind == typeDir
	executable := mode&anyExec != 0
	perm := mode & permBits
	for _, c := range m {
		if c.dirs && !isDir || c.files && isDir {
			continue
		}
		copied := c.copied(perm)
		or := c.or
		if c.keepX && !executable && !isDir {
			or &^= anyExec
		}
		perm = perm&c.and | or
		if c.subtract {
			perm &^= copied
		} else {
			perm |= copied
		}
	}
	return mode&^permBits | perm
}

func (c change) copied(perm uint32) uint32 {
	var bits uint32
	switch c.from {
	case 0o100:
		bits = perm >> 6 & 7
	case 0o010:
		bits = perm >> 3 & 7
	case 0o001:
		bits = perm & 7
	}
	return c.to * bits & c.copyMask & permBits
}
