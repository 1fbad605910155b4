package main

import (
	"fmt"
	"path"
	"strings"
)

// chosen is a word of a command line, or several of which one is taken, with how
// often it comes in a hundred lines.
type chosen struct {
	often int
	words []string
}

// common are the options that need nothing but themselves.
var common = []chosen{
	{30, []string{"-H"}}, {5, []string{"-S"}}, {2, []string{"-x"}}, {9, []string{"-u"}}, {10, []string{"-c"}}, {8, []string{"-n"}},
	{22, []string{"-v"}}, {7, []string{"-vv"}}, {2, []string{"-q"}}, {40, []string{"-i"}}, {9, []string{"-ii"}},
	{6, []string{"-z", "--zc=zlib", "--zc=zlibx", "--zc=lz4", "--zc=zstd", "--new-compress", "--old-compress"}},
	{7, []string{"-W"}}, {12, []string{"--no-W"}}, {12, []string{"-R"}}, {3, []string{"-d", "--old-dirs"}}, {4, []string{"-J"}}, {5, []string{"-O"}},
	{5, []string{"-L"}}, {4, []string{"-k"}}, {6, []string{"-K"}}, {9, []string{"-b"}}, {3, []string{"--suffix=.old"}},
	{45, []string{"--delete", "--delete", "--del", "--delete-before", "--delete-during", "--delete-delay", "--delete-after"}},
	{6, []string{"--delete-excluded"}}, {4, []string{"--max-delete=0", "--max-delete=1", "--max-delete=3"}}, {8, []string{"--force"}},
	{4, []string{"--ignore-errors"}}, {4, []string{"--ignore-missing-args", "--delete-missing-args"}},
	{5, []string{"--existing"}}, {5, []string{"--ignore-existing"}}, {5, []string{"--size-only"}}, {6, []string{"-I"}},
	{5, []string{"--modify-window=1", "--modify-window=-1", "-@100"}}, {8, []string{"--inplace"}}, {3, []string{"--append"}}, {3, []string{"--append-verify"}},
	{3, []string{"--partial"}}, {6, []string{"--partial-dir=.part", "--partial-dir=.~tmp~", "--partial-dir=@/beside"}}, {6, []string{"--delay-updates"}},
	{4, []string{"--temp-dir=@/beside", "--temp-dir=."}}, {7, []string{"--backup-dir=.bak", "--backup-dir=../bak", "--backup-dir=@/bak", "--backup-dir=bak/deep"}},
	{7, []string{"-y", "-yy"}}, {8, []string{"--numeric-ids"}}, {3, []string{"--usermap=12:1000,*:1", "--usermap=bin:root"}},
	{3, []string{"--groupmap=*:12", "--groupmap=1000-70000:0"}}, {3, []string{"--chown=12:1000", "--chown=:1"}},
	{7, []string{"--chmod=u+w,go-w", "--chmod=D755,F644", "--chmod=a+X", "--chmod=Dg+s,Fo-r"}},
	{4, []string{"--max-size=1000", "--max-size=200", "--max-size=1k"}}, {3, []string{"--min-size=1", "--min-size=150"}},
	{5, []string{"--remove-source-files"}}, {2, []string{"--timeout=50"}}, {9, []string{"--stats"}}, {3, []string{"-h"}},
	{5, []string{"--info=name2", "--info=del,remove", "--info=skip2", "--info=copy,misc2", "--info=none,name", "--info=backup,mount,nonreg0", "--info=symsafe,stats0"}},
	{5, []string{"--out-format=%i %n%L", "--out-format=%i %n %l %M", "--out-format=%o %f %B %U:%G", "--out-format=%n %C", "--out-format=%i%I|%n"}},
	{2, []string{"--list-only"}}, {5, []string{"--safe-links"}}, {5, []string{"--copy-unsafe-links"}}, {3, []string{"--munge-links"}},
	{2, []string{"--fake-super"}}, {2, []string{"--super"}}, {1, []string{"--copy-devices"}}, {2, []string{"--preallocate"}}, {5, []string{"--mkpath"}},
	{3, []string{"-s"}}, {3, []string{"--old-args"}}, {5, []string{"-B700", "-B512", "-B2000"}}, {4, []string{"--checksum-seed=7"}},
	{4, []string{"--cc=md5", "--cc=xxh64", "--cc=md4", "--cc=sha1", "--cc=none", "--cc=xxh128,md5"}}, {11, []string{"--no-i-r"}},
	{8, []string{"-m"}}, {3, []string{"--no-implied-dirs"}}, {4, []string{"-8"}}, {3, []string{"-E"}}, {3, []string{"--open-noatime"}},
	{3, []string{"--iconv=utf-8,latin1", "--iconv=utf-8", "--iconv=latin1,utf-8"}}, {2, []string{"--drop-D"}}, {2, []string{"--trust-sender"}},
	{2, []string{"--no-perms", "--no-t", "--no-l", "--no-D", "--no-g"}}, {2, []string{"--fsync"}}, {1, []string{"--skip-compress=c/txt"}},
	{10, []string{"-C", "-F", "-FF"}}, {1, []string{"--msgs2stderr", "--stderr=all"}},
}

// line makes up the options of a run.
func (g *grower) line(attrs bool) []string {
	var line []string
	if g.chance(72) {
		line = append(line, "-a")
	} else {
		for _, o := range []string{"-r", "-l", "-p", "-t", "-g", "-o", "-D"} {
			if g.chance(70) {
				line = append(line, o)
			}
		}
	}
	busy := pick(g, 35, 70, 100, 150) // in percent of what is common
	for _, c := range common {
		if g.chance(c.often * busy / 100) {
			line = append(line, c.words[g.IntN(len(c.words))])
		}
	}
	if attrs && g.chance(75) {
		line = append(line, pick(g, "-A", "-X", "-AX"))
	}
	if g.chance(35) {
		line = append(line, fmt.Sprintf("--protocol=%d", 20+g.IntN(13)))
	}
	if g.chance(30) {
		for range 1 + g.IntN(3) {
			line = append(line, g.rule())
		}
	}
	g.Shuffle(len(line), func(i, j int) { line[i], line[j] = line[j], line[i] })
	return line
}

// alternatives adds --link-dest and its kin, and what is in their folders.
func (g *grower) alternatives(from, to string) []string {
	if !g.chance(18) {
		return nil
	}
	kind := pick(g, "--link-dest=", "--copy-dest=", "--compare-dest=")
	var line []string
	for i := range 1 + g.IntN(2) {
		alt := fmt.Sprint("alt", i)
		g.folder(alt)
		g.older(from, alt, 75)
		line = append(line, kind+strings.Repeat("../", strings.Count(to, "/")+1)+alt)
	}
	return line
}

// pattern makes up a pattern that may fit something.
func (g *grower) pattern() string {
	n := &g.nodes[g.IntN(len(g.nodes))]
	base, whole := path.Base(n.path), n.path[strings.IndexByte(n.path, '/')+1:]
	return strings.ReplaceAll(pick(g, base, base, base+"/", "/"+whole, "*.c", "*", "*/", whole, "/"+whole+"/***", base+"/**", "**/"+base, "[a-c]", "?", "a*", "/*", "*/b", "sub**", "h.txt"),
		"\n", "?")
}

// rule makes up an option that filters.
func (g *grower) rule() string {
	p := g.pattern()
	return pick(g, "--exclude=", "--exclude=", "--include=", "--filter=- ", "--filter=+ ", "--filter=P ", "--filter=R ", "--filter=H ", "--filter=S ",
		"--filter=-! ", "--filter=-/ ", "--filter=-s ", "--filter=-r ", "--filter=+r ", "--filter=-p ", "--filter=-C", "--filter=: .rules", "--filter=:n .rules",
		"--filter=:- .ignore", "--filter=:e .rules", "--filter=:s .rules", "--filter=:w .ignore", "--filter=. rules", "--exclude-from=rules",
		"--include-from=rules", "--filter=dir-merge,p /.rules", "--filter=!") + "\x00" + p
}

// cut joins a rule's option with its pattern where it takes one.
func cut(word string) string {
	option, pattern, ok := strings.Cut(word, "\x00")
	if !ok || strings.HasSuffix(option, "rules") || strings.HasSuffix(option, ".ignore") || strings.HasSuffix(option, "-C") || strings.HasSuffix(option, "!") && !strings.HasSuffix(option, "-! ") {
		return option
	}
	return option + pattern
}

// ruleFiles adds files with rules here and there.
func (g *grower) ruleFiles() {
	g.text("rules", g.lines("", "- ", "+ ", "P ", "H "))
	for _, i := range g.Perm(len(g.nodes))[:min(len(g.nodes), 4)] {
		if n := g.nodes[i]; n.kind == aFolder && g.chance(60) {
			switch g.IntN(5) {
			case 0, 1:
				g.text(n.path+"/.rsync-filter", g.lines("- ", "+ ", "P ", "R ", "H ", "S "))
			case 2:
				g.text(n.path+"/.cvsignore", g.lines(""))
			case 3:
				g.text(n.path+"/.rules", g.lines("- ", "+ ", "P ", "-! "))
			default:
				g.text(n.path+"/.ignore", g.lines(""))
			}
		}
	}
}

func (g *grower) lines(starts ...string) string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(pick(g, starts...) + g.pattern() + "\n")
	}
	return b.String()
}
