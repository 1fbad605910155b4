package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The kinds of a node.
const (
	aFile   = 'f'
	aFolder = 'd'
	aLink   = 'l'
	aName   = 'h' // one more name of another file
	aFifo   = 'p'
	aSocket = 's'
	aDevice = 'c'
)

// node is one thing in a sandbox.
type node struct {
	path     string // from the sandbox
	kind     byte
	mode     uint32 // the permissions
	uid, gid int
	sec      int64 // the modification time
	nsec     int64
	data     []stretch
	target   string // what a link says, or the path that a name shares its file with
	attrs    []attr // extended attributes, ACLs among them
}

// stretch is a part of a file: a text, else a run of zeros, else the numbers from
// first on, a line each; size bytes of them.
type stretch struct {
	text  string
	first int
	size  int
}

// attr is an extended attribute.
type attr struct {
	name  string
	value []byte
}

// bytes returns what a file holds.
func (n *node) bytes() []byte {
	var b bytes.Buffer
	for _, s := range n.data {
		switch {
		case s.text != "":
			b.WriteString(s.text)
		case s.first == 0:
			b.Write(make([]byte, s.size))
		default:
			end := b.Len() + s.size
			for i := s.first; b.Len() < end; i++ {
				b.WriteString(strconv.Itoa(i) + "\n")
			}
			b.Truncate(end)
		}
	}
	return b.Bytes()
}

// lay makes the nodes below dir: first all, then what they are like, from the
// innermost outwards, so that times stay.
func lay(dir string, nodes []node) error {
	for i := range nodes {
		if err := nodes[i].lay(dir); err != nil {
			return fmt.Errorf("make %q: %w", nodes[i].path, err)
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if err := nodes[i].dress(dir); err != nil {
			return fmt.Errorf("dress %q: %w", nodes[i].path, err)
		}
	}
	return nil
}

func (n *node) lay(dir string) error {
	p := filepath.Join(dir, n.path)
	switch n.kind {
	case aFolder:
		return os.Mkdir(p, 0o755)
	case aFile:
		return os.WriteFile(p, n.bytes(), 0o644)
	case aLink:
		return os.Symlink(n.target, p)
	case aName:
		return os.Link(filepath.Join(dir, n.target), p)
	case aFifo:
		return unix.Mknod(p, unix.S_IFIFO|0o644, 0)
	case aSocket:
		return unix.Mknod(p, unix.S_IFSOCK|0o644, 0)
	}
	return unix.Mknod(p, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 3)))
}

func (n *node) dress(dir string) error {
	if n.kind == aName {
		return nil
	}
	p := filepath.Join(dir, n.path)
	if err := os.Lchown(p, n.uid, n.gid); err != nil {
		return err
	}
	for _, a := range n.attrs {
		if err := unix.Lsetxattr(p, a.name, a.value, 0); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if n.kind != aLink {
		if err := unix.Chmod(p, n.mode); err != nil {
			return err
		}
	}
	at := unix.NsecToTimespec(n.sec*1e9 + n.nsec)
	return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// script returns the commands that do what lay does.
func script(nodes []node) string {
	var b strings.Builder
	for i := range nodes {
		b.WriteString(nodes[i].script() + "\n")
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if nodes[i].kind != aName {
			b.WriteString(nodes[i].dressScript() + "\n")
		}
	}
	return b.String()
}

func (n *node) script() string {
	p := quote(n.path)
	switch n.kind {
	case aFolder:
		return "mkdir -- " + p
	case aLink:
		return "ln -s -- " + quote(n.target) + " " + p
	case aName:
		return "ln -- " + quote(n.target) + " " + p
	case aFifo:
		return "mkfifo -- " + p
	case aSocket:
		return "perl -e 'syscall(133, $ARGV[0], 0140644, 0)' " + p // mknod of x86-64
	case aDevice:
		return "mknod " + p + " c 1 3"
	}
	var parts []string
	for _, s := range n.data {
		switch {
		case s.text != "":
			parts = append(parts, "printf %s "+quote(s.text))
		case s.first == 0:
			parts = append(parts, fmt.Sprintf("head -c %d /dev/zero", s.size))
		default:
			parts = append(parts, fmt.Sprintf("seq %d 9999999 | head -c %d", s.first, s.size))
		}
	}
	parts = append(parts, ":")
	return "{ " + strings.Join(parts, "; ") + "; } > " + p
}

func (n *node) dressScript() string {
	p := quote(n.path)
	var parts []string
	if n.uid != 0 || n.gid != 0 {
		parts = append(parts, fmt.Sprintf("chown -h %d:%d -- %s", n.uid, n.gid, p))
	}
	for _, a := range n.attrs {
		parts = append(parts, fmt.Sprintf("setfattr -h -n %s -v 0x%s -- %s", a.name, hex.EncodeToString(a.value), p))
	}
	if n.kind != aLink {
		parts = append(parts, fmt.Sprintf("chmod %o -- %s", n.mode, p))
	}
	parts = append(parts, fmt.Sprintf("touch -h -d @%d.%09d -- %s", n.sec, n.nsec, p))
	return strings.Join(parts, "; ")
}

// quote makes a word for bash.
func quote(s string) string {
	plain := s != ""
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\x%02x", c)
			plain = false
			continue
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
		}
		b.WriteByte(c)
		plain = plain && (c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-_./:=,+@%", c) >= 0)
	}
	if plain {
		return s
	}
	return "$'" + b.String() + "'"
}
