package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// batches is a folder with sources, and a way to make destinations that lack a
// part of them.
type batches struct {
	dir, ours string
}

func newBatches(t *testing.T) *batches {
	t.Helper()
	b := &batches{dir: tempDir(t)}
	b.ours = filepath.Join(b.dir, "bin", "rsync")
	for _, d := range []string{"bin", "src", "src/d"} {
		must(t, os.Mkdir(filepath.Join(b.dir, d), 0o755))
	}
	must(t, os.Symlink(os.Getenv(binaryVar), b.ours))
	for name, text := range map[string]string{"a": numbers(3000), "d/b": numbers(30), "q f": "x", "it's": "", "k.o": "left out"} {
		b.write(t, "src/"+name, text)
	}
	must(t, os.Symlink("a", b.dir+"/src/l"))
	must(t, exec.Command("touch", "-h", "-d", "2021-01-01", b.dir+"/src/l", b.dir+"/src/d", b.dir+"/src").Run())
	return b
}

func (b *batches) write(t *testing.T, name, text string) {
	t.Helper()
	p := filepath.Join(b.dir, name)
	must(t, os.WriteFile(p, []byte(text), 0o644))
	must(t, os.Chtimes(p, time.Time{}, time.Unix(1e9, 0)))
}

func numbers(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintln(&s, i)
	}
	return s.String()
}

// older makes a destination: one file is older, one is in the way.
func (b *batches) older(t *testing.T, name string) string {
	t.Helper()
	p := filepath.Join(b.dir, name)
	must(t, os.RemoveAll(p))
	must(t, os.Mkdir(p, 0o755))
	b.write(t, name+"/a", numbers(2000)+"2")
	b.write(t, name+"/gone", "x")
	return p
}

// run runs one of the two programs in the folder.
func (b *batches) run(t *testing.T, program, line string) result {
	t.Helper()
	cmd := exec.Command("timeout", "30", "sh", "-c", program+" "+line)
	cmd.Dir = b.dir
	return start(t, cmd).wait()
}

// A batch that either program writes is read by either, in every form of the
// protocol, and makes what the writer made.
func TestBatches(t *testing.T) {
	t.Parallel()
	b := newBatches(t)
	must(t, os.Remove(b.dir+"/src/k.o"))
	for i, flags := range []string{
		"-a", "-az --delete", "-aH --no-i-r --delete-after", "-a --protocol=29", "-rltz --protocol=27", "-a --protocol=26", "-ac --inplace --protocol=30",
		"-az --zc=zstd --cc=sha1", "-aX --append-verify -I",
	} {
		for _, writer := range []string{"rsync", b.ours} {
			if writer == "rsync" && strings.Contains(flags, "--cc") {
				continue // its own server refuses that
			}
			for _, only := range []string{"--write-batch", "--only-write-batch"} {
				dst := b.older(t, "w")
				before := tree(t, dst)
				b.run(t, writer, flags+" "+only+"=B src/ w").expect(t, 0)
				want := tree(t, dst)
				if only != "--write-batch" {
					if diff := cmp.Diff(before, want); diff != "" {
						t.Fatalf("%s %s changes the destination:\n%s", flags, only, diff)
					}
					b.run(t, "rsync", strings.NewReplacer("--cc=sha1", "", "--zc=zstd", "").Replace(flags)+" src/ w").expect(t, 0)
					want = tree(t, dst)
				}
				for _, reader := range []string{"rsync", b.ours} {
					if writer == "rsync" && reader == "rsync" {
						continue
					}
					got := b.older(t, "r")
					if i%2 == 0 {
						b.run(t, reader, flags+" --read-batch=B r").expect(t, 0)
					} else {
						b.run(t, reader, flags+" --read-batch=- r <B").expect(t, 0)
					}
					if diff := cmp.Diff(want, tree(t, got)); diff != "" {
						t.Errorf("%s %s of %s, read by %s (-wrote +read):\n%s", flags, only, writer, reader, diff)
					}
				}
			}
		}
	}
}

// Which name of a file a batch has the data for depends on what there was before,
// and how much of the list had come.
func TestBatchesOfLinkedNames(t *testing.T) {
	t.Parallel()
	b := newBatches(t)
	must(t, os.Mkdir(b.dir+"/src/c", 0o755))
	for _, name := range []string{"0", "d/z", "c/m"} {
		must(t, os.Link(b.dir+"/src/a", b.dir+"/src/"+name))
		must(t, os.Link(b.dir+"/src/d/b", b.dir+"/src/"+name+".b"))
	}
	must(t, exec.Command("touch", "-h", "-d", "2021-01-01", b.dir+"/src/d", b.dir+"/src/c", b.dir+"/src").Run())
	before := func(state, name string) string {
		dst := b.older(t, name)
		must(t, os.Mkdir(dst+"/d", 0o755))
		switch state {
		case "one is up to date":
			b.write(t, name+"/d/z", numbers(3000))
		case "one is nearly":
			b.write(t, name+"/d/z", numbers(2900))
			b.write(t, name+"/0.b", numbers(30))
		}
		return dst
	}
	for _, state := range []string{"none is there", "one is up to date", "one is nearly"} {
		for _, flags := range []string{"-aH", "-aH --no-i-r --delete", "-aH --protocol=28"} {
			for _, writer := range []string{"rsync", b.ours} {
				dst := before(state, "w")
				b.run(t, writer, flags+" --write-batch=B src/ w").expect(t, 0)
				want := tree(t, dst)
				for _, reader := range []string{"rsync", b.ours} {
					got := before(state, "r")
					b.run(t, reader, flags+" --read-batch=B r").expect(t, 0)
					if diff := cmp.Diff(want, tree(t, got)); diff != "" {
						t.Errorf("%s, %s of %s, read by %s (-wrote +read):\n%s", state, flags, writer, reader, diff)
					}
				}
			}
		}
	}
}

// A batch can be made of a pull and of a push to a daemon, and sent again by the
// script beside it, whose filter rules protect what they did.
func TestBatchScripts(t *testing.T) {
	t.Parallel()
	b := newBatches(t)
	config := fmt.Sprintf("use chroot = no\n[m]\npath = %s\nread only = no\nuid = %d\ngid = %d\n", b.dir, os.Geteuid(), os.Getegid())
	must(t, os.WriteFile(b.dir+"/rsyncd.conf", []byte(config), 0o644))
	place := "rsync://" + debianDaemon(t, b.dir+"/rsyncd.conf") + "/m/"
	const flags = ` -a --delete --exclude="*.o" -f "P gone" --suffix="it's" --write-batch="a b" `
	scripts := map[string][]string{}
	for _, program := range []string{"rsync", b.ours} {
		for how, places := range map[string]string{"local": "src/ w", "pull": place + "src/ w", "push": "src/ " + place + "w"} {
			b.older(t, "w")
			b.run(t, program, flags+places).expect(t, 0)
			text, err := os.ReadFile(b.dir + "/a b.sh")
			must(t, err)
			scripts[how] = append(scripts[how], strings.Replace(string(text), b.ours, "rsync", 1))
			got := b.older(t, "r")
			b.write(t, "r/x.o", "")
			b.run(t, "sh", "'a b.sh' r").expect(t, 0)
			if names := strings.Join(tree(t, got), "\n"); !strings.Contains(names, "gone") || !strings.Contains(names, "x.o") || !strings.Contains(names, "it's") {
				t.Errorf("%s %s: the script leaves\n%s", program, how, names)
			}
			for name, mode := range map[string]os.FileMode{"a b": 0o600, "a b.sh": 0o700} {
				info, err := os.Stat(filepath.Join(b.dir, name))
				must(t, err)
				if info.Mode() != mode {
					t.Errorf("%s has the mode %v", name, info.Mode())
				}
			}
		}
	}
	for how, s := range scripts {
		if diff := cmp.Diff(s[0], s[1]); diff != "" {
			t.Errorf("%s (-rsync +ours):\n%s", how, diff)
		}
	}
}

// What is there already is passed over; what a batch does not fit is said, and
// left as it is.
func TestBatchThatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := newBatches(t)
	for _, flags := range []string{"-a", "-a --no-i-r", "-a --protocol=28"} {
		b.older(t, "w")
		b.run(t, b.ours, flags+" --write-batch=B src/ w").expect(t, 0)
		for _, again := range []string{"-n ", ""} {
			r := b.run(t, b.ours, flags+" -v "+again+"--read-batch=B w")
			for _, name := range []string{"a", "d/b"} {
				if line := fmt.Sprintf("(Skipping batched update for %q)\n", name); r.code != 0 || !strings.Contains(r.out, line) {
					t.Errorf("%s %s: %s does not say %s", flags, again, r, line)
				}
			}
		}
		dst := b.older(t, "r")
		b.write(t, "r/a", "quite another file")
		b.run(t, b.ours, flags+" --read-batch=B r").contains(t, 23, "a failed verification", `(No batched update for resend of "a")`)
		if text, err := os.ReadFile(dst + "/a"); err != nil || string(text) != "quite another file" {
			t.Errorf("%s: the file has become %q, %v", flags, text, err)
		}
		if _, err := os.Stat(dst + "/d/b"); err != nil {
			t.Error(err)
		}
		// The writer had it already.
		b.older(t, "r")
		b.write(t, "w/a", numbers(3000))
		b.run(t, b.ours, flags+" --write-batch=B src/ w").expect(t, 0)
		b.run(t, b.ours, flags+" --read-batch=B r").contains(t, 23, `(No batched update for "a")`)
	}
}

func TestBatchMistakes(t *testing.T) {
	t.Parallel()
	b := newBatches(t)
	must(t, os.WriteFile(b.dir+"/noise", []byte("\x00\x00\x00\x00\x63\x00\x00\x00"), 0o644))
	must(t, os.WriteFile(b.dir+"/short", []byte("\x9f\x00\x00\x00\x20\x00\x00"), 0o644))
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"-a --read-batch=none r":                 {11, `Batch file "none" open error`},
		"-a --write-batch=no/where src/ r":       {3, `Batch file "no/where.sh" open error`},
		"-a --read-batch=noise r":                {2, "The protocol version in the batch file is too new (99 > "},
		"-a --read-batch=short r":                {11, "read the batch file"},
		"-a --read-batch=B h:r":                  {1, "remote destination is not allowed with --read-batch"},
		"-a --read-batch=B --write-batch=C r":    {1, "--write-batch and --read-batch can not be used together"},
		"-a --read-batch=B --files-from=B r":     {1, "--read-batch cannot be used with --files-from"},
		"-a --delete-after --read-batch=parts r": {1, "Incompatible options specified for inc-recursive batch file."},
	} {
		if strings.Contains(line, "parts") {
			b.older(t, "w")
			b.run(t, b.ours, "-a --write-batch=parts src/ w").expect(t, 0)
		}
		b.run(t, b.ours, line).contains(t, want.code, want.text)
	}
	b.run(t, b.ours, "-an --write-batch=B src/ r").expect(t, 0)
	if _, err := os.Stat(b.dir + "/B"); err == nil {
		t.Error("a dry run has written a batch")
	}
}
