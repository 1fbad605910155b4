package main

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// grower makes up what is in a sandbox.
type grower struct {
	*rand.Rand
	nodes []node
	used  map[string]int // the place of a path in nodes
	files []string       // that a name can be added to
	plain bool           // nothing but files, folders and links, with usual names
	attrs bool           // extended attributes, too
}

// chance is true in p of a hundred cases.
func (g *grower) chance(p int) bool { return g.IntN(100) < p }

func pick[T any](g *grower, of ...T) T { return of[g.IntN(len(of))] }

// names that are in no way odd, and those that are.
var (
	plainNames = []string{"a", "b", "c", "d", "e", "f.c", "g.o", "h.txt", "i", "sub", "dir", "deep", "x", "y.tmp", "z.gz", "old", "new", "a.b", "a-b", "ab"}
	oddNames   = []string{
		"na me", "new\nline", "latin\xe4\xf6", "-dash", "st*r", "[br]", "back\\slash", "\u00fcml\u00e4ut", "#hash", ";semi", ".hidden", "f.c~", "g.bak",
		"core", "CVS", ".svn", "tab\there", "quo'te", "$HOME", "\u65e5\u672c", "col:on", "%n", "\\#012", "esc\x1b[1m", strings.Repeat("n", 240),
	}
)

func (g *grower) name() string {
	if g.plain || g.chance(80) {
		return plainNames[g.IntN(len(plainNames))]
	}
	return oddNames[g.IntN(len(oddNames))]
}

// add appends a node where nothing has its path and its folder is there.
func (g *grower) add(n node) bool {
	if _, taken := g.used[n.path]; taken {
		return false
	}
	if dir := path.Dir(n.path); dir != "." {
		if i, ok := g.used[dir]; !ok || g.nodes[i].kind != aFolder {
			return false
		}
	}
	g.used[n.path] = len(g.nodes)
	g.nodes = append(g.nodes, n)
	if n.kind == aFile {
		g.files = append(g.files, n.path)
	}
	return true
}

// folder adds a folder of which nothing is said.
func (g *grower) folder(p string) {
	g.add(node{path: p, kind: aFolder, mode: 0o755, sec: 1_000_000_000})
}

// text adds a file with a text.
func (g *grower) text(p, text string) {
	g.add(node{path: p, kind: aFile, mode: 0o644, sec: 1_000_000_000, data: []stretch{{text: text}}})
}

func (g *grower) attributes(n *node) {
	n.mode = pick(g, uint32(0o644), 0o644, 0o600, 0o755, 0o664, 0o444, 0o640)
	if n.kind == aFolder {
		n.mode = pick(g, uint32(0o755), 0o755, 0o755, 0o700, 0o775, 0o2755, 0o1777, 0o555)
	} else if g.chance(4) {
		n.mode = pick(g, uint32(0o4755), 0o2711, 0, 0o6777)
	}
	if g.chance(25) {
		n.uid, n.gid = pick(g, 0, 1, 12, 1000, 65534), pick(g, 0, 1, 12, 1000, 65534)
	}
	n.sec = pick(g, int64(1_000_000_000), 1_000_000_000, 1_000_000_001, 1_200_000_000, 1_500_000_000)
	if g.chance(8) {
		n.sec = pick(g, int64(0), 1, 2_100_000_000, 4_000_000_000, -100_000, 86_400)
	}
	if g.chance(10) {
		n.nsec = pick(g, int64(1), 500_000_000, 999_999_999)
	}
	if g.attrs && n.kind != aLink && g.chance(30) {
		g.extended(n)
	}
}

// extended gives a node extended attributes.
func (g *grower) extended(n *node) {
	regular := n.kind == aFile || n.kind == aFolder
	if regular && g.chance(60) {
		n.attrs = append(n.attrs, attr{"user.a", []byte(pick(g, "1", "two", strings.Repeat("long", 20), ""))})
	}
	if g.chance(30) {
		n.attrs = append(n.attrs, attr{"trusted.t", []byte(pick(g, "x", "y"))})
	}
	if g.chance(40) {
		n.attrs = append(n.attrs, attr{"system.posix_acl_access", accessList(6, pick(g, uint32(1), 12, 1000), byte(g.IntN(8)), 4, 7, 4)})
	}
	if n.kind == aFolder && g.chance(30) {
		n.attrs = append(n.attrs, attr{"system.posix_acl_default", accessList(7, pick(g, uint32(1), 12), byte(g.IntN(8)), 5, 5, 0)})
	}
}

// accessList is Linux's form of an ACL with one named user.
func accessList(owner byte, user uint32, named, group, mask, other byte) []byte {
	b := []byte{2, 0, 0, 0}
	for _, e := range []struct {
		tag, perm byte
		id        uint32
	}{{1, owner, 1<<32 - 1}, {2, named, user}, {4, group, 1<<32 - 1}, {16, mask, 1<<32 - 1}, {32, other, 1<<32 - 1}} {
		b = append(b, e.tag, 0, e.perm, 0, byte(e.id), byte(e.id>>8), byte(e.id>>16), byte(e.id>>24))
	}
	return b
}

// content makes up what a file holds.
func (g *grower) content() []stretch {
	first := 1 + g.IntN(5)*1000
	switch k := g.IntN(100); {
	case k < 12:
		return nil
	case k < 75:
		return []stretch{{first: first, size: 1 + g.IntN(300)}}
	case k < 90:
		return []stretch{{first: first, size: 1000 + g.IntN(5000)}}
	case k < 95:
		return []stretch{{first: first, size: 100 + g.IntN(9000)}, {size: g.IntN(70_000)}, {first: first, size: g.IntN(5000)}}
	case k < 98:
		return []stretch{{first: first, size: 100_000 + g.IntN(200_000)}}
	}
	return []stretch{{first: first, size: 10}, {size: 1_100_000}}
}

// tree fills a folder.
func (g *grower) tree(dir string, depth int) {
	for range g.IntN(7) {
		p := path.Join(dir, g.name())
		k := g.IntN(100)
		switch {
		case k < 55:
			n := node{path: p, kind: aFile, data: g.content()}
			g.attributes(&n)
			g.add(n)
		case k < 67 && len(g.files) > 0:
			if to := pick(g, g.files...); strings.HasPrefix(to, strings.SplitN(dir, "/", 2)[0]+"/") {
				g.add(node{path: p, kind: aName, target: to})
			}
		case k < 82:
			g.symlink(dir, p)
		case k < 90 && !g.plain:
			n := node{path: p, kind: pick(g, byte(aFifo), aFifo, aSocket, aDevice)}
			g.attributes(&n)
			g.add(n)
		}
	}
	if depth == 0 {
		return
	}
	for range g.IntN(4) {
		n := node{path: path.Join(dir, g.name()), kind: aFolder}
		g.attributes(&n)
		if g.add(n) {
			g.tree(n.path, depth-1)
		}
	}
}

func (g *grower) symlink(dir, p string) {
	n := node{path: p, kind: aLink}
	g.attributes(&n)
	n.attrs = nil
	n.target = pick(g, g.name(), g.name(), g.name(), "../"+g.name(), "nowhere", "sub/../a", "../../"+g.name(), "../../../../etc/hostname", "/etc/hostname", "/nowhere", ".", "../src/a")
	if n.target == path.Base(p) { // a ring
		n.target = "nowhere"
	}
	if strings.Contains(n.target, "..") && g.plain {
		n.target = "b"
	}
	g.add(n)
}

// older fills a folder with what was there some time ago: what is below from,
// mostly the same. how sure it is that nothing has changed comes in percent.
func (g *grower) older(from, to string, sure int) {
	names := map[string]string{} // of a file's first path to that of its copy
	for _, n := range slices.Clone(g.nodes) {
		rest, below := strings.CutPrefix(n.path, from+"/")
		if !below {
			continue
		}
		was := n.path
		n.path = path.Join(to, rest)
		if n.kind == aName {
			first, copied := names[n.target]
			if copied && g.chance(70) {
				n.target = first
				g.add(n)
				continue
			}
			was = n.target
			i := g.used[n.target]
			p := n.path
			n = g.nodes[i]
			n.path = p
		}
		if !g.chance(sure) && g.age(&n) {
			continue
		}
		if g.add(n) && n.kind == aFile {
			names[was] = n.path
		}
	}
	for range g.IntN(3) { // what is too much
		g.tree(to, 1)
	}
}

// age makes a node what it may have been before; true means it was not there.
func (g *grower) age(n *node) (absent bool) {
	switch g.IntN(9) {
	case 0, 1:
		return true
	case 2: // of another kind
		n.kind, n.target, n.attrs = pick(g, byte(aFile), aFolder, aLink, aFifo), "", nil
		switch n.kind {
		case aFile:
			n.data = g.content()
		case aLink:
			n.target = pick(g, "a", "b", "sub", "nowhere")
		}
	case 3, 4:
		kept, data := n.attrs, n.data
		g.attributes(n)
		n.attrs, n.data = kept, data
	case 5:
		n.sec += pick(g, int64(-1), 1, -100, 100)
	case 6: // shorter
		if len(n.data) > 0 {
			n.data = slices.Clone(n.data)
			n.data[len(n.data)-1].size /= 2
			n.sec -= int64(g.IntN(2))
		}
	default:
		if n.kind == aFile {
			n.data = append([]stretch{{text: fmt.Sprint("was ", g.IntN(9))}}, n.data...)
			if g.chance(30) {
				n.data = g.content()
			}
			n.sec -= int64(g.IntN(3))
		} else if n.kind == aLink {
			n.target = pick(g, "a", "elsewhere")
		}
	}
	return false
}
