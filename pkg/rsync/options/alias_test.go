package options

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const aliasFile = `# aliases
rsync alias -Z --no-p --no-g --chmod=ugo=rwX
rsync alias --slow --bwlimit=7
 rsync	alias --two -r \
   --info=del2 "--suffix=a b" '--usermap=\1:2"'
rsync alias --with --suffix
rsync alias -t -t -u
rsync alias -E -E
rsync alias --chain --slow -c
rsync alias --desc --stats --POPTdesc=$"words" --POPTargs=$"WORD"
rsync alias --broken "--stats
`

// What aliases come to is what it comes to for rsync, which reads them with popt.
func TestAliasesAgainstRsync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".popt"), []byte(aliasFile), 0o600); err != nil {
		t.Fatal(err)
	}
	var aliases Aliases
	aliases.Add(aliasFile)
	for _, line := range []string{
		"-a", "-aZ", "-vZt", "-ttZZ", "--slow", "--two -W", "--with=.x", "--with .y", "-tEv", "--chain -i", "--desc", "-B700Z", "-BZ700 --slow",
		"--slow --slow -r", "--broken",
	} {
		args := append(fields(line), "host:x", "dst")
		want, _ := record(t, dir, args)
		got := []string(nil)
		if o, err := ParseIn(nil, aliases, args); err == nil {
			got = append(o.ServerArgs(peer(o, false)), ".", "x")
		}
		for i := range want {
			want[i] = strings.NewReplacer(`\ `, " ", `\\`, `\`, `\"`, `"`).Replace(want[i])
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rsync %q (-) and we (+):\n%s", args, d)
		}
	}
}

func TestAliasErrors(t *testing.T) {
	var aliases Aliases
	aliases.Add("rsync alias --a --b\nrsync alias --b --a\nrsync alias --all --stats!#:+\nrsync exec --x ls\nother alias --o -z\nrsync alias --none")
	for line, want := range map[string]string{
		"--a x y":   "nested too deeply",
		"--all x y": "not supported (what",
		"--x x y":   "--x: unknown option",
		"--o x y":   "--o: unknown option",
	} {
		if _, err := ParseIn(nil, aliases, fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	o, err := ParseIn(nil, aliases, fields("--none=x y -- --a"))
	if err != nil || cmp.Diff(o.Args, []string{"x", "y", "--a"}) != "" {
		t.Errorf("%+v, %v", o, err)
	}
}

func FuzzAliases(f *testing.F) {
	f.Add(aliasFile, "-vZt --two=3 a b")
	f.Fuzz(func(t *testing.T, file, line string) {
		var aliases Aliases
		aliases.Add(file)
		if len(file) < 200 && len(aliases.words) < 4 { // each may stand for many others
			_, _ = ParseIn(nil, aliases, fields(line))
		}
	})
}
