package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
)

// job is what both engines are to do.
type job struct {
	seed    uint64
	nodes   []node
	sources []string   // from the sandbox
	dest    string     // from there, too
	lines   [][]string // the options of each run
	way     way
}

// way is how the two sides of a transfer come together, and which are ours.
type way struct {
	name           string
	over           string // "": on one machine; "shell" or "daemon"
	push           bool
	client, server bool // which side is ours
}

// ways returns all that there are.
func ways() []way {
	out := []way{{name: "we copy", client: true}}
	for _, over := range []string{"shell", "daemon"} {
		for _, push := range []bool{false, true} {
			verb := "pulls from"
			if push {
				verb = "pushes to"
			}
			for _, s := range []struct{ client, server string }{{"our client", "rsync's"}, {"rsync", "our"}, {"our client", "our own"}} {
				out = append(out, way{strings.Join([]string{s.client, verb, s.server, over}, " "), over, push, s.client != "rsync", s.server != "rsync's"})
			}
		}
	}
	return out
}

// newJob makes up the job of a seed.
func newJob(seed uint64) *job {
	g := &grower{Rand: rand.New(rand.NewPCG(seed, 0x636f6d70617265)), used: map[string]int{}}
	j := &job{seed: seed}
	g.plain, g.attrs = g.chance(35), g.chance(15)
	all := ways()
	if j.way = all[g.IntN(len(all))]; g.chance(15) {
		j.way = all[0]
	}
	g.folder("src")
	for len(g.nodes) < 4 {
		g.tree("src", 3)
	}
	var more []string
	below := ""
	j.dest = pick(g, "dst/", "dst/", "dst/", "dst", "dst", "dst/sub/", "dst/new/deep")
	line := g.line(g.attrs)
	more = append(more, j.arguments(g, &below, &line)...)
	g.folder("beside")
	if kind := g.IntN(100); kind < 80 {
		g.destination(j.dest, below)
		if kind < 68 {
			from := "src"
			g.older(from, path.Join(strings.TrimSuffix(j.dest, "/"), below), pick(g, 95, 80, 60, 30))
		}
	}
	more = append(more, g.alternatives("src", path.Join(j.dest, below))...)
	g.ruleFiles()
	j.nodes = g.nodes
	if j.way.over == "daemon" {
		j.staysInside()
	}
	if os.Geteuid() != 0 {
		j.staysModest()
	}
	line = append(line, more...)
	for i := range line {
		line[i] = cut(line[i])
	}
	j.lines = [][]string{line}
	if g.chance(15) {
		again := slices.Clone(line)
		if g.chance(50) {
			again = slices.Delete(again, 0, 1)
		}
		j.lines = append(j.lines, again)
	}
	return j
}

// destination makes the folders up to one.
func (g *grower) destination(dest, below string) {
	p := ""
	for _, part := range strings.Split(path.Join(dest, below), "/") {
		p = path.Join(p, part)
		g.folder(p)
	}
}

// arguments chooses what is copied, and says where below the destination the
// source's contents appear.
func (j *job) arguments(g *grower, below *string, line *[]string) (more []string) {
	relative := slices.Contains(*line, "-R")
	switch k := g.IntN(100); {
	case k < 58:
		j.sources = []string{"src/"}
		if relative {
			*below = "src"
		}
	case k < 72:
		j.sources, *below = []string{"src"}, "src"
	case k < 84: // some of what is in it
		for range 1 + g.IntN(3) {
			n := g.nodes[g.IntN(len(g.nodes))]
			p := n.path
			if n.kind == aFolder {
				p += pick(g, "", "/", "/.")
			}
			if relative && g.chance(50) {
				p = strings.Replace(p, "/", "/./", 1)
			}
			if safe(p) && !slices.Contains(j.sources, p) {
				j.sources = append(j.sources, p)
			}
		}
		if g.chance(15) {
			j.sources = append(j.sources, "src/missing")
		}
		if relative {
			*below = "src"
		}
	case k < 92:
		j.sources = []string{"src/"}
		var list []string
		for range 1 + g.IntN(5) {
			n := g.nodes[g.IntN(len(g.nodes))]
			p := strings.TrimPrefix(strings.TrimPrefix(n.path, "src"), "/")
			if n.kind == aFolder {
				p += pick(g, "", "/")
			}
			list = append(list, strings.ReplaceAll(p, "\n", "?"))
		}
		if g.chance(20) {
			list = append(list, "missing")
		}
		g.text("list", strings.Join(list, "\n")+"\n")
		more = append(more, "--files-from=list")
		if g.chance(40) {
			more = append(more, pick(g, "-r", "--no-R", "--no-dirs"))
		}
	default:
		j.sources = []string{"src/./sub", "src/a"}
		if relative {
			*below = ""
		}
	}
	if len(j.sources) == 0 {
		j.sources = []string{"src/"}
	}
	return more
}

// staysInside bends links that lead out of the module: what they lead to is not
// there for our daemon, and refused by rsync's.
func (j *job) staysInside() {
	for i := range j.nodes {
		if n := &j.nodes[i]; n.kind == aLink && (n.target[0] == '/' || strings.HasPrefix(path.Join(path.Dir(n.path), n.target), "..")) {
			n.target = "bent"
		}
	}
}

// staysModest leaves out what only root may make, or read.
func (j *job) staysModest() {
	for i := range j.nodes {
		n := &j.nodes[i]
		n.uid, n.gid = os.Getuid(), os.Getgid()
		n.mode |= 0o600
		switch n.kind {
		case aDevice:
			n.kind = aFifo
		case aFolder:
			n.mode |= 0o700
		}
		n.attrs = slices.DeleteFunc(slices.Clone(n.attrs), func(a attr) bool { return strings.HasPrefix(a.name, "trusted.") })
	}
}

// safe reports whether a path means the same to whatever shell reads it, and
// starts no option.
func safe(p string) bool {
	return !strings.ContainsAny(p, "\n\t\x1b*[]\\'$;#:%?")
}

// clone copies what shrinking changes.
func (j *job) clone() *job {
	c := *j
	c.nodes, c.sources = slices.Clone(j.nodes), slices.Clone(j.sources)
	c.lines = make([][]string, len(j.lines))
	for i, l := range j.lines {
		c.lines[i] = slices.Clone(l)
	}
	return &c
}

// commands returns what is run, as words. client and server are the programs,
// world is where the sandbox is: "@" in an option.
func (j *job) commands(client, server, world string) [][]string {
	if j.way.over == "daemon" && j.way.push {
		world = "" // the module
	}
	var out [][]string
	for _, line := range j.lines {
		words := []string{client}
		for _, w := range line {
			words = append(words, strings.Replace(w, "-dir=@", "-dir="+world, 1))
		}
		from, to := "", ""
		switch j.way.over {
		case "shell":
			words = append(words, "-e", "sh ../rsh", "--rsync-path="+server)
			from = "h:"
		case "daemon":
			from = "h::mod/"
		}
		if j.way.push {
			from, to = to, from
		}
		for _, s := range j.sources {
			words = append(words, from+s)
		}
		out = append(out, append(words, to+j.dest))
	}
	return out
}

// script returns a program for bash that does the job, with $C and $S for the two
// sides' programs.
func (j *job) script(rsync, ours string) string {
	client, server := rsync, rsync
	if j.way.client {
		client = ours
	}
	if j.way.server {
		server = ours
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# seed %d: %s\nset -e; export LC_ALL=C.UTF-8; T=$(mktemp -d); cd $T; umask 022\n", j.seed, j.way.name)
	fmt.Fprintf(&b, "R=%s; C=%s; S=%s # rsync, and the two sides' programs\n", rsync, client, server)
	b.WriteString("for run in rsync ours; do mkdir $run $run/world; cd $run; [ $run = rsync ] && { c=$R; s=$R; } || { c=$C; s=$S; }\n")
	b.WriteString(helpers("$T/$run"))
	b.WriteString("cd world\n" + script(j.nodes))
	for _, words := range j.commands("$c", "$s", "$PWD") {
		if j.way.over == "daemon" {
			b.WriteString("RSYNC_CONNECT_PROG=\"$s --server --daemon --config=$T/$run/conf .\" ")
		}
		for i, w := range words {
			switch {
			case i == 0:
				b.WriteString(w)
			case w == "--rsync-path=$s" || strings.Contains(w, "-dir=$PWD"):
				b.WriteString(" " + w)
			default:
				b.WriteString(" " + quote(w))
			}
		}
		b.WriteString(" || echo \"exit code $?\"\n")
	}
	b.WriteString("cd ../..; echo; done; echo left in $T; diff <(cd rsync/world; ls -lRn --time-style=+%s.%N) <(cd ours/world; ls -lRn --time-style=+%s.%N)\n")
	return b.String()
}

// helpers returns the commands that make the remote shell and the daemon's
// configuration in the folder above the sandbox.
func helpers(dir string) string {
	return "printf '%s\\n' " + quote(strings.TrimSpace(remoteShell)) + " > rsh\ncat > conf <<END\n" + configuration(dir) + "END\n"
}

// remoteShell runs a command here, in the sandbox.
const remoteShell = "shift; exec sh -c \"$*\"\n"

func configuration(dir string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "uid = 0\ngid = 0\n"
	}
	return user + fmt.Sprintf("use chroot = no\nmunge symlinks = no\ncharset = utf-8\nlog file = %s/log\n[mod]\npath = %s/world\nread only = no\n", dir, dir)
}
