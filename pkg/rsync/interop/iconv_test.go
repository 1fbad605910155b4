package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// utf8Names are files in UTF-8: in ISO-8859-15 their order is another one, for the
// euro's sign comes first there.
func utf8Names() []string {
	return []string{"z", "€", "€dir/€", "€dir/b", "é.txt", "ÿ", "ä/ö", "ä/sub/ü", "ä!/plain", "¡/x", "zz/à", "Ö/1", "Ö/2", "b/plain"}
}

// latin writes a name in ISO-8859-15, without what that has otherwise than
// ISO-8859-1 but the euro.
func latin(name string) string {
	var b []byte
	for _, r := range name {
		if r == '€' {
			r = 0xa4
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// namedTree fills a tree whose names are what as makes of them.
func namedTree(as func(string) string) func(s *sandbox, dir string) {
	return func(s *sandbox, dir string) {
		for i, n := range utf8Names() {
			s.write(filepath.Join(dir, as(n)), []byte(fmt.Sprintf("content %d", i)), then+int64(i))
		}
		s.must(os.Link(filepath.Join(dir, as("é.txt")), filepath.Join(dir, as("Ö/hårt"))))
		s.must(os.Link(filepath.Join(dir, as("é.txt")), filepath.Join(dir, as("a-hart"))))
		link := filepath.Join(dir, as("lïnk"))
		s.must(os.Symlink(as("é.txt"), link))
		s.must(touch(link, then))
		for _, d := range []string{"ä/sub", "ä", "ä!", "€dir", "¡", "zz", "Ö", "b", "."} {
			s.must(touch(filepath.Join(dir, as(d)), then+100))
		}
	}
}

func same(name string) string { return name }

// sorted are the names below a folder in the order of their bytes.
func sorted(t testing.TB, dir string) string {
	all := names(t, dir)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// namedDest has some of it, other things, and what is to be deleted.
func namedDest(as func(string) string) func(s *sandbox, dir string) {
	return func(s *sandbox, dir string) {
		s.write(filepath.Join(dir, as("ÿ")), []byte("content 2"), then+2)
		s.write(filepath.Join(dir, as("ä/ö")), []byte("another content"), then)
		s.write(filepath.Join(dir, as("ä/über")), []byte("goes"), then)
		s.write(filepath.Join(dir, as("ñ/x")), []byte("goes"), then)
		s.write(filepath.Join(dir, as("é")), []byte("goes"), then)
	}
}

// Trees in two character sets, in every role of ours, as rsync does it.
func TestIconv(t *testing.T) {
	toLatin := oracle{source: namedTree(same), dest: namedDest(latin), silent: true}
	toUTF8 := oracle{source: namedTree(latin), dest: namedDest(same), silent: true}
	for i, line := range []string{
		"-aH --delete", "-aHi --delete-after", "-acs --delete-delay", "-aH --no-i-r --delete", "-aHn --delete", "-rlt --protocol=29 --delete",
		"-aH --protocol=30", "-rz --protocol=26", "-aHR --delete", "-aX --inplace --no-W", "-ab --delete-before", "-aHs --fuzzy --delete-after",
		"-a --exclude=\xe9* --exclude=é* --exclude=ö --exclude=\xf6 --delete", "-aH --existing", "-aH --delay-updates --partial-dir=.p",
	} {
		for _, way := range []struct {
			o           oracle
			push, pulls string
		}{{toLatin, "utf8,iso885915", "iso885915,utf8"}, {toUTF8, "latin-9,UTF-8", "utf-8,ISO-8859-15"}} {
			for _, role := range someRoles(i) {
				o := way.o
				spec := way.push
				if role == "our client pulls" || role == "our server sends" {
					spec = way.pulls
				}
				o.roles = []string{role}
				onFiles(t, o, line+" --iconv="+spec)
			}
		}
	}
}

// The side that removes is told of files by what their indexes are on the wire.
func TestIconvRemovesSource(t *testing.T) {
	o := oracle{source: namedTree(same), dest: namedDest(latin), silent: true, eats: true, roles: []string{"our client pushes", "our server receives"}}
	onFiles(t, o, "-aH --remove-source-files --iconv=utf8,iso885915")
	o.roles = []string{"our client pulls", "our server sends"}
	onFiles(t, o, "-aH --remove-source-files --iconv=iso885915,utf8")
}

// What is printed is in this side's character set; deletions are told in UTF-8.
func TestIconvOutput(t *testing.T) {
	for line, roles := range map[string][]string{
		"-ai8 --delete --iconv=utf8,iso885915": {"our client pushes", "our server receives"},
		"-ai8 --delete --iconv=iso885915,utf8": {"our client pulls", "our server sends"},
	} {
		onFiles(t, oracle{source: namedTree(same), dest: namedDest(latin), roles: roles}, line)
	}
}

// The names of --files-from travel in UTF-8 with -s, and as they are without.
func TestIconvFilesFrom(t *testing.T) {
	s := newSandbox(t)
	list := filepath.Join(s.dir, "list")
	for _, c := range []struct{ flags, spec, names string }{
		{"-as", "utf8,iso885915", "é.txt\nä/sub\n"}, {"-a", "utf8,iso885915", latin("é.txt\nä/sub\n")},
	} {
		s.must(os.WriteFile(list, []byte(c.names), 0o644))
		o := oracle{source: namedTree(latin), dest: namedDest(same), silent: true, roles: []string{"our client pulls", "our server sends"}}
		onFiles(t, o, c.flags+"H --files-from="+list+" --iconv="+c.spec)
	}
}

// unnamable has names that ISO-8859-1 has no letters for.
func unnamable(s *sandbox) {
	namedTree(same)(s, s.src)
	for _, n := range []string{"☃.txt", "b/☃", "z☃/in/x", "日本/ä"} {
		s.write(s.src+"/"+n, []byte("no name"), then)
	}
	s.must(os.Symlink("☃", s.src+"/to-☃"))
	s.must(os.Symlink("☃", s.src+"/to-snow"))
	s.must(os.Link(s.src+"/z☃/in/x", s.src+"/named"))
	s.must(os.WriteFile(s.src+"/\xff", nil, 0o644)) // and one that is no UTF-8
}

// What has no name here is left out and told of, and nothing is deleted where it
// may be missing: C rsync's receiving side gives up instead.
func TestIconvUnnamable(t *testing.T) {
	for _, c := range []struct{ flags, far string }{{"-aH", "ours"}, {"-aH", "rsync"}, {"-aH --no-i-r", "rsync"}, {"-rH --protocol=29", "rsync"}} {
		t.Run(c.flags+" "+c.far, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			unnamable(s)
			s.write(s.dst+"/kept", []byte("not deleted"), then)
			args := append(strings.Fields(c.flags), "--delete", "--iconv=iso885915,utf8", "-e", s.rsh(), "host:"+s.src+"/", s.dst+"/")
			if c.far == "ours" {
				args[len(args)-3] = s.rsh(beServer + "=1")
				args = append([]string{"--rsync-path=" + os.Args[0]}, args...)
			}
			rec, _, err := s.shell(args...)
			if proto.ExitCode(err) != proto.ExitPartial {
				t.Errorf("%v", err)
			}
			// A server tells of its list through the protocol, or in its own way beside it.
			all := rec.String() + strings.ReplaceAll(s.log.String(), `\#377`, "\xff")
			for _, want := range []string{"[receiver] cannot convert filename: ☃.txt (invalid or incomplete multibyte or wide character)", "filename: b/☃ ", "filename: z☃/in ",
				"[sender] cannot convert filename: \xff ", "skipping file deletion"} {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not said:\n%s", want, all)
				}
			}
			got := strings.Join(names(t, s.dst), "\n")
			var want []string
			for _, n := range utf8Names() {
				want = append(want, latin(n))
			}
			for _, n := range append(want, "kept", "named", latin("Ö/hårt")) {
				if _, err := os.Lstat(filepath.Join(s.dst, n)); err != nil {
					t.Errorf("%v; there is:\n%q", err, got)
				}
			}
			for _, n := range []string{"☃.txt", "b/☃", "z☃", "to-☃"} {
				if _, err := os.Lstat(filepath.Join(s.dst, n)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: %v", n, err)
				}
			}
			if text, err := os.ReadFile(s.dst + "/named"); err != nil || string(text) != "no name" {
				t.Errorf("the other name of a file without one: %q, %v", text, err)
			}
		})
	}
}

// A sender that cannot convert a name leaves it out, and keeps the other side from
// deleting.
func TestIconvUnsendable(t *testing.T) {
	o := oracle{source: func(s *sandbox, _ string) { unnamable(s) }, dest: namedDest(same), silent: true}
	for i, line := range []string{"-aH --delete --iconv=ascii,utf8", "-rlH --protocol=29 --delete --iconv=utf8,utf8", "-aH --no-i-r --delete --iconv=utf8"} {
		o.roles = []string{[]string{"our client pushes", "our server receives", "our client pushes"}[i]}
		onFiles(t, o, line)
		o.roles = []string{"our client pulls", "our server sends"}
		onFiles(t, o, strings.Replace(line, "ascii,utf8", "utf8,ascii", 1))
	}
}

// A module's names are in the character set that the daemon says, whatever the
// client thinks it is.
func TestIconvModule(t *testing.T) {
	const charset = "charset = iso885915"
	check := func(s *sandbox, dir string, was func(string) string, code int, said string) {
		s.t.Helper()
		model := filepath.Join(s.dir, "model")
		namedTree(was)(s, model)
		defer os.RemoveAll(model)
		if want, got := sorted(s.t, model), sorted(s.t, dir); code != 0 || got != want {
			s.t.Errorf("code %d: %s%s", code, said, difference(want, got))
		}
	}
	for _, flags := range []string{"-a", "-as", "-a --protocol=29"} {
		s := newSandbox(t)
		namedTree(latin)(s, s.src)
		s.ours(s.src, charset)
		said, code := s.rsync(append(strings.Fields(flags), "--iconv=utf8,koi8-r", s.url("/"), s.dst+"/")...)
		check(s, s.dst, same, code, said)
		if !strings.HasSuffix(flags, "29") { // there links are not converted, and now no names
			s.must(os.Mkdir(s.src+"/pushed", 0o755))
			said, code = s.rsync("-as", "--iconv=utf8", s.dst+"/", s.url("/pushed/"))
			check(s, s.src+"/pushed", latin, code, said)
		}

		s = newSandbox(t)
		namedTree(latin)(s, s.src)
		s.debian(s.src, charset)
		rec, _, err := s.run(append(strings.Fields(flags), "--iconv=utf8,koi8-r", s.url("/"), s.dst+"/")...)
		check(s, s.dst, same, int(proto.ExitCode(err)), rec.String())
	}
	s := newSandbox(t)
	namedTree(latin)(s, s.src)
	s.ours(s.src, charset)
	said, code := s.rsync("-as", "--iconv=utf8", s.url("/ä"), s.dst+"/") // the path, too
	if got := strings.Join(names(t, s.dst), " "); code != 0 || got != "ä ä/sub ä/sub/ü ä/ö" {
		t.Errorf("code %d: %s%q", code, said, got)
	}
}

// Modules that do not say their character set refuse --iconv; others may, and may
// demand it.
func TestIconvRefused(t *testing.T) {
	for _, c := range []struct{ extra, option, want string }{
		{"", "--iconv=utf8", "refuse --iconv"},
		{"charset = utf8\nrefuse options = iconv", "--iconv=utf8", "refuse --iconv"},
		{"charset = utf8\nrefuse options = no-iconv", "--iconv=.", ""},
		{"charset = utf8\nrefuse options = no-iconv", "-r", "refuse --no-iconv"},
		{"charset = utf8\nrefuse options = * !a !v", "--iconv=utf8", ""},
	} {
		for _, serve := range []func(s *sandbox, path string, extra ...string){(*sandbox).ours, (*sandbox).debian} {
			s := newSandbox(t)
			s.write(s.src+"/a", []byte("a"), then)
			serve(s, s.src, c.extra)
			said, code := s.rsync("-a", c.option, s.url("/"), s.dst+"/")
			if (code == 0) != (c.want == "") || !strings.Contains(said, c.want) {
				t.Errorf("%q and %s: code %d, %s", c.extra, c.option, code, said)
			}
		}
	}
}

// Batch files have names in UTF-8 then, and are read with the option only.
func TestIconvBatch(t *testing.T) {
	s := newSandbox(t)
	namedTree(same)(s, s.src)
	file := filepath.Join(s.dir, "batch")
	write := runWords(s, []string{"-a", "--iconv=utf8,iso885915", "--write-batch=" + file, s.src + "/", s.dst + "/"})
	if write.code != 0 {
		t.Fatal(write)
	}
	for flag, wants := range map[string]int{"--iconv=iso885915": 0, "--no-iconv": 1} {
		to := filepath.Join(s.dir, "replayed"+flag)
		if said, code := s.rsync("-a", flag, "--read-batch="+file, to+"/"); code != wants {
			t.Errorf("rsync reads with %s: %d, %s", flag, code, said)
		}
		if wants == 0 {
			if a, b := snapshot(t, s.dst), snapshot(t, to); a != b {
				t.Errorf("rsync makes of it:%s", difference(a, b))
			}
		}
	}
	if said, code := s.rsync("-a", "--iconv=utf8,iso885915", "--only-write-batch="+file, s.src+"/", filepath.Join(s.dir, "none")+"/"); code != 0 {
		t.Fatal(said)
	}
	for flag, want := range map[string]proto.Exit{"--iconv=latin9": 0, "--no-iconv": proto.ExitSyntax} {
		to := filepath.Join(s.dir, "ours"+flag)
		s.must(os.Mkdir(to, 0o755))
		if err := replay(s, flag, file, to); proto.ExitCode(err) != want {
			t.Errorf("%s: %v", flag, err)
		}
		if a, b := snapshot(t, s.dst), snapshot(t, to); want == 0 && a != b {
			t.Errorf("we make of it:%s", difference(a, b))
		}
	}
}

// replay has us make the changes of a batch.
func replay(s *sandbox, flag, file, to string) error {
	opt, err := options.Parse([]string{"-a", flag, "--read-batch=" + file, to})
	if err != nil {
		return err
	}
	c := &client.Client{Options: opt, Umask: 0o022, Observer: &recorder{}}
	_, err = c.Replay(context.Background(), transfer.Dest{Root: s.root(to), Path: "."})
	return err
}
