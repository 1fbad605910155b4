package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// selection is a job whose point is which files are copied, and which deleted.
// Its sources are relative to the source folder.
type selection struct {
	name    string
	options string // separated by spaces; _ stands for a space within one
	sources string // "" stands for ./
	// except names roles in which rsync with itself does something else.
	except string
}

// words splits at spaces.
func (c selection) words() []string {
	words := strings.Fields(c.options)
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "_", " ")
	}
	return words
}

func (c selection) args() []string {
	if c.sources == "" {
		return []string{"./"}
	}
	return strings.Fields(c.sources)
}

// lay writes files with their text below a folder, all of one time. A name
// that ends in a slash is an empty folder.
func (s *sandbox) lay(root string, files map[string]string) {
	s.t.Helper()
	for name, text := range files {
		if strings.HasSuffix(name, "/") {
			s.must(os.MkdirAll(filepath.Join(root, name), 0o755))
			continue
		}
		s.write(filepath.Join(root, name), []byte(text), 1_700_000_000)
	}
}

// names lists what is in a tree.
func names(t testing.TB, root string) []string {
	t.Helper()
	var all []string
	for _, line := range strings.Split(snapshot(t, root), "\n") {
		all = append(all, strings.TrimSpace(line[:30]))
	}
	return slices.DeleteFunc(all, func(n string) bool { return n == "." })
}

// selections has each job done by rsync alone, by our client with rsync's
// daemon and by rsync's client with our daemon, both ways, and compares what is
// there afterwards.
func selections(t *testing.T, source, dest map[string]string, protocols []int, cases []selection) {
	for _, c := range cases {
		for _, v := range protocols {
			t.Run(fmt.Sprintf("%s/%d", c.name, v), func(t *testing.T) {
				t.Parallel()
				flags := append([]string{fmt.Sprintf("--protocol=%d", v)}, c.words()...)
				s := newSandbox(t)
				s.lay(s.src, source)
				s.lay(s.dst, dest)
				out, code := s.rsyncIn(s.src, slices.Concat(flags, c.args(), []string{s.dst + "/"})...)
				want := names(t, s.dst)
				for _, role := range roles() {
					if strings.Contains(c.except, role.name) {
						continue
					}
					t.Run(role.name, func(t *testing.T) {
						s := newSandbox(t)
						s.lay(s.src, source)
						s.lay(s.dst, dest)
						said, got := role.do(s, flags, c.args())
						if got != code {
							t.Errorf("code %d, want %d\nours: %s\nrsync: %s", got, code, said, out)
						}
						if d := cmp.Diff(want, names(t, s.dst)); d != "" {
							t.Errorf("%v (-rsync alone +ours):\n%s%s", flags, d, said)
						}
					})
				}
			})
		}
	}
}

// role is one of ours with one of rsync's.
type role struct {
	name string
	do   func(s *sandbox, flags, sources []string) (said string, code int)
}

// The roles in which rsync itself has its ways.
const pulls, sends = "our client pulls", "our daemon sends"

func roles() []role {
	pull := func(s *sandbox, sources []string) (urls []string) {
		for _, src := range sources {
			urls = append(urls, s.url("/"+src))
		}
		return append(urls, s.dst+"/")
	}
	push := func(s *sandbox, sources []string) (paths []string) {
		for _, src := range sources {
			if strings.Contains(src, "/./") {
				paths = append(paths, s.src+"/"+src)
			} else {
				paths = append(paths, s.src+"/./"+src)
			}
		}
		return append(paths, s.url("/"))
	}
	return []role{
		{pulls, func(s *sandbox, flags, sources []string) (string, int) {
			s.debian(s.src)
			rec, _, err := s.run(slices.Concat(flags, pull(s, sources))...)
			return rec.String(), exitCode(err)
		}},
		{"our client pushes", func(s *sandbox, flags, sources []string) (string, int) {
			s.debian(s.dst)
			rec, _, err := s.run(slices.Concat(flags, push(s, sources))...)
			return rec.String(), exitCode(err)
		}},
		{sends, func(s *sandbox, flags, sources []string) (string, int) {
			s.ours(s.src)
			return s.rsyncIn(s.src, slices.Concat(flags, pull(s, sources))...)
		}},
		{"our daemon receives", func(s *sandbox, flags, sources []string) (string, int) {
			s.ours(s.dst)
			out, code := s.rsyncIn(s.src, slices.Concat(flags, push(s, sources))...)
			if code == 0 || code == int(proto.ExitPartial) || code == int(proto.ExitVanished) {
				s.ended(1)
			}
			return out, code
		}},
	}
}

func exitCode(err error) int { return int(proto.ExitCode(err)) }

// rsyncIn is rsync in a folder, without anybody's settings.
func (s *sandbox) rsyncIn(dir string, args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command("rsync", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "CVSIGNORE=")
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// ruleTree has merge files of several kinds.
func ruleTree() map[string]string {
	return map[string]string{
		"a": "1", "b.o": "1", "c.bak": "1", "d/a": "1", "d/b": "1", "d/e/a": "1", "d/e/f/a": "1", "d/e/f/b": "1", "g/h/i": "1", "g/h/j.tmp": "1",
		".rsync-filter": "- *.bak\n", "d/.rsync-filter": "- /b\n+ e/\n", "d/e/.rsync-filter": "!\n- f/b\n",
		".cvsignore": "*.tmp other", "d/.cvsignore": "a", "other": "1", "g/other": "1", "g/h/core": "1",
		".rules": "# a comment\n\n- /a\nP keep\n", "d/.rules": "-p fleeting\nH /e/a\n", "g/.words": "i j.tmp", "g/h/.x": "+ i\n- *\n",
		"empty/deeper/": "", "empty/x.bak": "1", "lost/x.bak": "1",
	}
}

func ruleDest() map[string]string {
	return map[string]string{
		"a": "2", "keep": "2", "d/keep": "2", "d/old/fleeting": "2", "d/old/keep": "2", "gone": "2", "x.bak": "2", "g/z.tmp": "2", "d/.rules": "P spared\n",
		"d/spared": "2", "n/.rules": "P q\n", "n/q": "2", "n/m/r": "2", "d/b": "2", "empty/deeper/old": "2",
	}
}

// Merge files in folders count on both sides, in every role and, where old
// versions have no such rules, not at all.
func TestMergeFiles(t *testing.T) {
	t.Parallel()
	selections(t, ruleTree(), ruleDest(), []int{29, 32}, []selection{
		{name: "F", options: "-rt -F"},
		{name: "FF", options: "-rt -FF --delete"},
		{name: "C", options: "-rtC --delete"},
		{name: "rules", options: "-rt -f:_.rules --delete"},
		{name: "rules, excluded", options: "-rt -f:_.rules --delete --delete-excluded"},
		{name: "before", options: "-rt -f:_.rules --delete-before"},
		{name: "after", options: "-rt -f:_.rules --delete-after"},
		{name: "words", options: "-rt -f:w-_.words --exclude=core --delete"},
		{name: "own", options: "-rt -f:en_.x --include=*.tmp --exclude=*.o"},
		{name: "one folder", options: "-rt -f:_.rules --delete", sources: "d"},
		{name: "what is in it", options: "-rt -F --delete", sources: "d/"},
		{name: "several", options: "-rt -F --delete", sources: "d g/h a"},
		{name: "prune", options: "-rtm --exclude=*.bak --delete"},
		{name: "prune, protected", options: "-rtm --exclude=*.bak -fP_lost --delete"},
		{name: "modifiers", options: "-rt -f-!_*/ -f-/_/nowhere"},
	})
	selections(t, ruleTree(), ruleDest(), []int{20, 28}, []selection{
		{name: "prune", options: "-rtm"},
		{name: "F", options: "-rt -F"},
		{name: "hide", options: "-rt -fH_a --delete"},
	})
}

func nameTree() map[string]string {
	return map[string]string{
		"a": "1", "d/a": "1", "d/b": "1", "d/e/a": "1", "d/e/f/a": "1", "g/h/i": "1", "g/h/j": "1", "g/k/l/m": "1", "#x": "1", ";y": "1", "-n": "1",
		".rules": "- i\n", "g/.rules": "- j\n", "q/[1]x": "1", "q/1x": "1", "q/2x": "1", "s p/a b": "1",
	}
}

// namesFile writes a list for --files-from beside the sandboxes.
func namesFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "names")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Lists of names come from this side, through the wire where the other one
// sends, and mean what they mean to rsync.
func TestFilesFrom(t *testing.T) {
	t.Parallel()
	plain := namesFile(t, "d/a\n\ng/h\r\n/a\nd/e/./f\ns p//a b\n-n\n")
	climbing := namesFile(t, "./d/e/f/../a\n../../s p/a b\n#x\n;y\n/d/../../etc/passwd\n")
	zeros := namesFile(t, "d/a\x00\x00g/h/\x00s p/a b")
	lacking := namesFile(t, "d/a\nnothing\nno/thing\na/b\n")
	selections(t, nameTree(), map[string]string{"d/old": "2", "g/h/old": "2", "nothing": "2", "old": "2"}, []int{20, 30, 31}, []selection{
		{name: "plain", options: "-t --files-from=" + plain},
		{name: "archive", options: "-a --files-from=" + plain},
		{name: "recursive", options: "-rt --delete --files-from=" + plain},
	})
	selections(t, nameTree(), map[string]string{"d/old": "2", "g/h/old": "2", "nothing": "2", "no/thing": "2", "old": "2"}, []int{29, 31}, []selection{
		// rsync's daemon takes the files of such a list for vanished.
		{name: "below", options: "-rt --delete --files-from=" + namesFile(t, "h\nk/l/\n"), sources: "g/", except: pulls},
		// rsync's receiver refuses such names from any server.
		{name: "climbing", options: "-rt --files-from=" + climbing, except: pulls + sends},
		{name: "zeros", options: "-t -0 --files-from=" + zeros},
		{name: "not relative", options: "-t --no-R --files-from=" + plain},
		{name: "not relative, recursive", options: "-r --no-R --files-from=" + plain},
		{name: "filtered", options: "-rt -f-_f -f-_i --files-from=" + plain},
		{name: "lacking", options: "-rt --delete --files-from=" + lacking},
		{name: "lacking, ignored", options: "-rt --ignore-missing-args --files-from=" + lacking},
		{name: "lacking, deleted", options: "-t --delete-missing-args --files-from=" + lacking},
		{name: "none", options: "-rt --files-from=" + namesFile(t, "")},
	})
	selections(t, nameTree(), nil, []int{31}, []selection{
		{name: "no implied folders", options: "-t --no-i-d --files-from=" + plain},
		{name: "no folders", options: "-t --no-d --files-from=" + plain, except: pulls + sends}, // a server is not told
	})
}

func TestRelative(t *testing.T) {
	t.Parallel()
	dest := map[string]string{"d/old": "2", "d/e/old": "2", "g/h/old": "2", "old": "2", "nothing": "2", "x/y": "2"}
	selections(t, nameTree(), dest, []int{20, 31}, []selection{
		{name: "file", options: "-rtR --delete", sources: "d/e/f/a"},
		{name: "folder", options: "-rtR --delete", sources: "d/e g/h"},
		{name: "contents", options: "-dtR --delete", sources: "d/e/"},
	})
	selections(t, nameTree(), dest, []int{29, 31}, []selection{
		{name: "all", options: "-rtR --delete", sources: "."},
		{name: "divided", options: "-rtR --delete", sources: "d/./e"},
		{name: "overlapping", options: "-rtR --delete", sources: "d/e d g/h/i"},
		{name: "rules", options: "-rtR -f:_.rules", sources: "g/h"},
		{name: "missing", options: "-rtR --delete", sources: "d/e nothing"},
		{name: "missing, deleted", options: "-rt --delete-missing-args", sources: "d nothing x"},
		{name: "missing, ignored", options: "-rt --ignore-missing-args", sources: "d nothing"},
		{name: "old dirs", options: "--old-dirs -t", sources: "d"},
		{name: "dirs", options: "-dt --delete", sources: "d/"},
		{name: "one file system", options: "-rtx --delete", sources: "d"},
	})
	selections(t, nameTree(), dest, []int{30, 32}, []selection{
		{name: "no implied folders", options: "-rtR --no-implied-dirs --delete", sources: "d/e/f g/h/i"},
	})
}
