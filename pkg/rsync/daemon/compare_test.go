package daemon_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// served is what the modules of compareConf hold.
func (p *place) serveTree() *place {
	return p.write(map[string]string{
		"mod/one.txt": "1", "mod/two.txt": "2", "mod/.dot.txt": "d", "mod/sub/x": "x", "mod/sub/deep/y": "y",
		"mod/secret/s": "s", "mod/sub/secret/t": "t", "mod/sub/k.hid": "hidden", "mod/open.hid": "but shown",
		"mod/a b/q r": "q", "mod/br[1].txt": "b", "mod/br1.txt": "b1", `mod/back\slash`: "bs", "mod/star*": "st", "mod/mod/m": "m",
		"mod/inlink": "-> sub", "mod/etclink": "-> /etc", "mod/outlink": "-> ../out", "mod/sub/up": "-> ../one.txt",
		"out/o": "o", "sp mod/f": "f", "wr/old": "o", "wr/secret/s": "s", "wr/keep.hid": "k", "wr/dir/d": "d", "wr/dir/k.hid": "k",
		"wr/in": "-> dir", "wr/away": "-> ../out",
		"src/one": "one", "src/two": "two", "src/secret/s": "client's", "src/new.hid": "client's", "src/dir/e": "e",
		"realmod/r": "r", "modlink": "-> realmod", "motd": "welcome\nto the test\n",
		"src1/one": "one", "d/": "",
	})
}

const compareConf = `motd file = @DIR@/motd
[mod]
path = @DIR@/mod
comment = the mod  # really
include = /open.hid
exclude = secret/ *.hid
[wr]
path = @DIR@/wr
read only = no
include = + *.txt
exclude = /secret/ - *.hid
[flt]
path = @DIR@/mod
filter = + /sub/  - /sub/deep/***  include /one.txt  - /*
[flw]
path = @DIR@/wr
read only = no
filter = merge @DIR@/rules
[wo]
path = @DIR@/wr
write only = yes
read only = no
[my mod]
path = @DIR@/sp mod
list = no
[linked]
path = @DIR@/modlink/
[nouser]
path = @DIR@/mod
uid = nosuch
[nogroup]
path = @DIR@/mod
gid = nosuch
[nopath]
path = @DIR@/none
[ref]
path = @DIR@/wr
read only = no
refuse options = delete checksum
[refall]
path = @DIR@/wr
read only = no
refuse options = * !a !v
[ver]
path = @DIR@/wr
read only = no
max verbosity = 2
`

// comparison is a command line whose effect and words must be those that it has
// with C rsync's daemon.
type comparison struct {
	name string
	args string // divided at "|"
	// same is what of the output must be equal: lines that match. "" stands for
	// rsync's own words for errors of a module.
	same string
	// anyCode: C rsync's daemon closes so fast that its client's exit code is
	// a matter of chance.
	anyCode bool
}

func comparisons() []comparison {
	return []comparison{
		{name: "list", args: "@URL@/", same: "."},
		{name: "pull", args: "-av|@URL@/mod/|d/", same: `^[^srt.]`},
		{name: "itemized", args: "-ai|@URL@/mod/|d/", same: "^[<>c*]"},
		{name: "wildcard", args: "-a|@URL@/mod/*.txt|d/"},
		{name: "wildcard class", args: "-a|@URL@/mod/br[0-9].txt|d/"},
		{name: "wildcard, no class", args: "-a|@URL@/mod/[!o]*.txt|d/"},
		{name: "wildcard in the middle", args: "-a|@URL@/mod/s*/x|d/"},
		{name: "wildcard through a link", args: "-a|@URL@/mod/inlink/*|d/"},
		{name: "wildcard dot", args: "-a|@URL@/mod/.*.txt|d/"},
		{name: "several", args: "-a|@URL@/mod/*.txt|@URL@/mod/sub|@URL@/mod/secret|d/"},
		{name: "space", args: "-a|@URL@/mod/a b/|d/"},
		{name: "space in a file", args: "-a|@URL@/mod/a b/q r|d/"},
		{name: "brackets", args: "-a|@URL@/mod/br[1].txt|d/"},
		{name: "backslash", args: `-a|@URL@/mod/back\slash|d/`},
		{name: "star", args: "-a|@URL@/mod/star*|d/"},
		{name: "link inside", args: "-a|@URL@/mod/inlink/|d/"},
		{name: "link itself", args: "-a|@URL@/mod/inlink|d/"},
		{name: "file through a link", args: "-a|@URL@/mod/inlink/x|d/"},
		{name: "link to /etc", args: "-a|@URL@/mod/etclink/hosts|d/"},
		{name: "link out", args: "-a|@URL@/mod/outlink/|d/"},
		{name: "up", args: "-a|@URL@/mod/../mod/m|d/"},
		{name: "up to /etc", args: "-a|@URL@/mod/../../etc/hosts|d/"},
		{name: "absolute", args: "-a|@URL@/mod//etc/hosts|d/"},
		{name: "up and down", args: "-a|@URL@/mod//sub/../sub/x|d/"},
		{name: "excluded folder", args: "-a|@URL@/mod/secret/|d/"},
		{name: "excluded name", args: "-a|@URL@/mod/secret|d/"},
		{name: "below excluded", args: "-a|@URL@/mod/secret/s|d/"},
		{name: "wildcard below excluded", args: "-a|@URL@/mod/secret/*|d/"},
		{name: "excluded file", args: "-a|@URL@/mod/sub/k.hid|d/"},
		{name: "included file", args: "-a|@URL@/mod/open.hid|d/"},
		{name: "missing", args: "-a|@URL@/mod/nonex|d/"},
		{name: "missing wildcard", args: "-a|@URL@/mod/*nonex|d/"},
		{name: "module's own name", args: "-a|@URL@/mod/mod/m|d/"},
		{name: "two in one, of old", args: "-a|--old-args|@URL@/mod/one.txt mod/two.txt|d/"},
		{name: "two in one, quoted", args: "-a|@URL@/mod/one.txt mod/two.txt|d/"},
		{name: "protocol 29", args: "-a|--protocol=29|@URL@/mod/a b/q r|@URL@/mod/*.txt|d/"},
		{name: "single file, new name", args: "-a|@URL@/mod/one.txt|d/uno"},
		{name: "module with a space", args: "-a|@URL@/my mod/f|d/"},
		{name: "path is a link", args: "-a|@URL@/linked/|d/"},
		{name: "filter", args: "-a|@URL@/flt/|d/"},
		{name: "unknown module", args: "-a|@URL@/nosuch/f|d/"},
		{name: "module in capitals", args: "-a|@URL@/MOD/f|d/"},
		{name: "no such uid", args: "-a|@URL@/nouser/f|d/"},
		{name: "no such gid", args: "-a|@URL@/nogroup/f|d/"},
		{name: "no such path", args: "-a|@URL@/nopath/f|d/"},
		{name: "write only", args: "-a|@URL@/wo/old|d/"},
		{name: "list of write only", args: "@URL@/wo/"},
		{name: "read only", args: "-a|src/one|@URL@/mod/"},
		{name: "read only, new protocol", args: "-a|--delete|src/|@URL@/mod/"},
		{name: "read only, 29", args: "-a|--protocol=29|src/|@URL@/mod/", anyCode: true},
		{name: "push", args: "-a|src/dir|@URL@/wr/"},
		{name: "push verbosely", args: "-avvi|src/dir|@URL@/ver/", same: "^[<>.c*]"},
		{name: "push one file", args: "-a|src/one|@URL@/wr/"},
		{name: "push to a new name", args: "-a|src/one|@URL@/wr/uno"},
		{name: "push to a new folder", args: "-a|src/one|@URL@/wr/new/"},
		{name: "push several to a new folder", args: "-a|src/one|src/two|@URL@/wr/new"},
		{name: "push through a link", args: "-a|src/one|@URL@/wr/in/"},
		{name: "push through a link out", args: "-a|src/one|@URL@/wr/away/", same: "nothing"},
		{name: "push up", args: "-a|src/one|@URL@/wr/../../up"},
		{name: "push into a missing folder's folder", args: "-a|src/one|src/two|@URL@/wr/no/such/dir", same: "nothing"},
		{name: "push excluded", args: "-r|src/|@URL@/wr/", same: "nothing"},
		{name: "push into excluded", args: "-a|src/one|@URL@/wr/secret/"},
		{name: "push an excluded name", args: "-a|src/one|@URL@/wr/a.hid"},
		{name: "delete", args: "-r|--delete|src1/|@URL@/wr/"},
		{name: "delete before", args: "-r|--delete-before|src1/|@URL@/wr/"},
		{name: "delete excluded", args: "-r|--delete-excluded|--exclude=dir|src1/|@URL@/wr/"},
		{name: "delete, filter", args: "-r|--delete|src1/|@URL@/flw/"},
		{name: "write only push", args: "-r|src1/|@URL@/wo/"},
		{name: "refused delete", args: "-a|--delete|src1/|@URL@/ref/"},
		{name: "refused letter", args: "-ac|src1/|@URL@/ref/"},
		{name: "not refused", args: "-a|src1/|@URL@/ref/"},
		{name: "all refused but -a", args: "-a|src1/|@URL@/refall/"},
		{name: "all refused, so -c too", args: "-ac|src1/|@URL@/refall/"},
	}
}

// outcome is what must be the same with both daemons.
type outcome struct {
	Code                int
	Words               string
	Pulled, Pushed, Out string
}

// TestAsRsync runs each command line against C rsync's daemon and ours and
// compares exit codes, what arrives on both sides, and the words for the user.
func TestAsRsync(t *testing.T) {
	t.Parallel()
	type daemonAt struct {
		*place
		addr string
	}
	serve := func(t *testing.T) (theirs, ours daemonAt) {
		a := newPlace(t).serveTree().write(map[string]string{"rules": "- *.hid\n+ /dir/\n- /secret\n"})
		b := newPlace(t).serveTree().write(map[string]string{"rules": "- *.hid\n+ /dir/\n- /secret\n"})
		return daemonAt{a, a.debian(a.conf(compareConf))}, daemonAt{b, b.ours(b.conf(compareConf), withMotd(b)).addr}
	}
	sharedTheirs, sharedOurs := serve(t)
	for i, c := range comparisons() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			theirs, ours, d := sharedTheirs, sharedOurs, fmt.Sprintf("d%d", i)
			if !strings.Contains(c.args, "|d/") {
				theirs, ours = serve(t) // a push changes them
			}
			run := func(at daemonAt) (outcome, string) {
				at.write(map[string]string{d + "/": ""})
				out, code := at.rsync(at.addr, strings.Split(strings.ReplaceAll(c.args, "|d/", "|"+d+"/"), "|")...)
				if c.anyCode {
					code = min(code, 1)
				}
				return outcome{code, words(out, c.same), at.tree(d), at.tree("wr"), at.tree("out")}, out
			}
			want, theirOut := run(theirs)
			got, ourOut := run(ours)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("C rsync's daemon (-) and ours (+):\n%s\noutput with C rsync:\n%s\nwith ours:\n%s", diff, theirOut, ourOut)
			}
		})
	}
}

// words picks what must be the same of a client's output.
func words(out, same string) string {
	if same == "" {
		same = `^@ERROR|^ERROR: (module|daemon)|refuse`
	}
	var b strings.Builder
	for line := range strings.Lines(out) {
		if regexp.MustCompile(same).MatchString(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}
