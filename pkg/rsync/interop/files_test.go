package interop

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/memdir"
)

// variedTree is a source with all kinds of files.
func variedTree(s *sandbox, dir string) {
	s.write(dir+"/big", random(90_000, 1), then)
	s.write(dir+"/changed", []byte("new"), then+1)
	s.write(dir+"/same", []byte("the same"), then)
	s.write(dir+"/mode", []byte("of another mode"), then)
	s.write(dir+"/new", random(5000, 2), then+2)
	s.write(dir+"/sub/changed", []byte("new as well"), then)
	s.write(dir+"/sub/deep/new", []byte("deep down"), then)
	s.write(dir+"/becomes file", []byte("a file"), then)
	s.write(dir+"/link becomes file", []byte("a file"), then)
	s.must(os.MkdirAll(dir+"/becomes folder", 0o755))
	s.must(os.Symlink("here", dir+"/link"))
	s.must(os.Symlink("there", dir+"/becomes link"))
	s.must(syscall.Mkfifo(dir+"/fifo", 0o600))
	s.must(os.Link(dir+"/big", dir+"/sub/big too"))
	s.must(os.Chmod(dir+"/sub", 0o750))
	for _, n := range []string{"link", "becomes link", "fifo", "becomes folder", "sub/deep", "sub", "."} {
		s.must(touch(dir+"/"+n, then+100))
	}
}

// variedDest is an older state of it, with more.
func variedDest(s *sandbox, dir string) {
	big := random(90_000, 1)
	copy(big[40_000:], "what was here before")
	s.write(dir+"/big", big[:80_000], then-1)
	s.write(dir+"/changed", []byte("old and longer"), then-2)
	s.write(dir+"/same", []byte("the same"), then)
	s.write(dir+"/mode", []byte("of another mode"), then)
	s.must(os.Chmod(dir+"/mode", 0o755))
	s.write(dir+"/sub/changed", []byte("old"), then)
	s.write(dir+"/extra", []byte("too much"), then)
	s.write(dir+"/extra~", []byte("too much, or a backup"), then)
	s.write(dir+"/changed~", []byte("an older backup"), then)
	s.write(dir+"/gone/sub/file", []byte("too much"), then)
	s.write(dir+"/gone/sub/file~", []byte("too much, or a backup"), then)
	s.write(dir+"/becomes folder", []byte("a file"), then)
	s.must(os.MkdirAll(dir+"/becomes file", 0o755))
	s.must(os.Symlink("nowhere", dir+"/link"))
	s.must(os.Symlink("nowhere", dir+"/gone/link"))
	s.must(os.Symlink("nowhere", dir+"/link becomes file"))
	s.write(dir+"/becomes link", []byte("a file"), then)
	s.must(syscall.Mkfifo(dir+"/fifo", 0o644))
	s.must(os.Chmod(dir+"/gone", 0o710))
	for _, n := range []string{"link", "gone/link", "link becomes file", "fifo", "becomes file", "gone/sub", "gone", "sub", "."} {
		s.must(touch(dir+"/"+n, then-100))
	}
}

// onFiles runs each line of options through the oracle.
func onFiles(t *testing.T, o oracle, lines ...string) {
	t.Helper()
	for _, line := range lines {
		o := o
		o.flags, o.beside = strings.Fields(line), true
		if o.source == nil {
			o.source = variedTree
		}
		if o.dest == nil {
			o.dest = variedDest
		}
		t.Run(strings.ReplaceAll(line, "/", "_"), o.run)
	}
}

func TestBackup(t *testing.T) {
	onFiles(t, oracle{},
		"-aib", "-aib --delete", "-aib --delete-after --suffix=.old", "-aiHb --delete --backup-dir=../bak", "-ai --backup-dir=bak --delete-excluded --exclude=bak",
		"-vrb", "-ainb --delete", "-aib --fsync --delete-before", "-aib --force", "-aib --delete --max-delete=2",
	)
	onFiles(t, oracle{silent: true}, "-avvb --delete --backup-dir=../bak/deeper --suffix=.x", "-ab --protocol=24 --no-W",
		"-abc --delete --backup-dir=. --suffix=.b --protocol=28")
	// The backups' places are taken.
	onFiles(t, oracle{silent: true, dest: func(s *sandbox, dir string) {
		variedDest(s, dir)
		s.write(dir+"/../bak/sub", []byte("a file where a folder is needed"), then)
		s.write(dir+"/../bak/extra/file", []byte("a folder where a file goes"), then)
		s.write(dir+"/../bak/changed", []byte("a backup of before"), then)
	}}, "-aib --delete --backup-dir=../bak")
	// A backup's folder has the mode of the one that it is of.
	shut := func(text string, at int64) func(s *sandbox, dir string) {
		return func(s *sandbox, dir string) {
			s.write(dir+"/shut/file", []byte(text), at)
			s.must(os.Chmod(dir+"/shut", 0o555))
			s.settle(dir, "shut", ".")
		}
	}
	onFiles(t, oracle{source: shut("new", then), dest: shut("older", then-5)}, "-aib --backup-dir=../bak")
}

// appendDest has the beginnings of files, and one that only looks like it.
func appendDest(s *sandbox, dir string) {
	variedDest(s, dir)
	s.write(dir+"/big", random(90_000, 1)[:50_000], then-1)
	s.write(dir+"/new", random(2000, 9), then-1)
}

func TestInplace(t *testing.T) {
	onFiles(t, oracle{}, "-ai --inplace", "-aiH --inplace --no-W -B1000", "-aib --inplace --no-W", "-aib --inplace -W", "-aiS --inplace", "-aiI --inplace --delete --fsync")
	onFiles(t, oracle{silent: true}, "-a --inplace --protocol=28 --no-W", "-ab --inplace --protocol=27 --no-W", "-az --inplace --protocol=30 --no-W")
	o := oracle{dest: appendDest}
	onFiles(t, o, "-ai --append", "-ai --append-verify", "-aiz --append", "-aiz --append-verify")
	o.silent = true
	onFiles(t, o, "-a --append --protocol=29", "-a --append --protocol=24", "-a --append-verify --protocol=30")
}

// partialDest has what earlier runs have left.
func partialDest(s *sandbox, dir string) {
	variedDest(s, dir)
	s.write(dir+"/.part/new", random(5000, 2)[:3000], then-5)
	s.write(dir+"/.part/same", []byte("of no use any more"), then-5)
	s.write(dir+"/sub/.part/changed", []byte("new as"), then-5)
	s.write(dir+"/.part/stranger", []byte("of another run"), then-5)
	s.write(dir+"/../part/new", random(5000, 2)[:3000], then-5)
	s.write(dir+"/sub/.~tmp~/changed", []byte("new as"), then-5)
}

func TestPartial(t *testing.T) {
	o := oracle{dest: partialDest}
	onFiles(t, o, "-ai --partial", "-ai --partial-dir=.part", "-ai --partial-dir=.part --delete", "-aib --partial-dir=.part --no-W", "-aiW --partial-dir=.part",
		"-ai --delay-updates", "-aiHb --delay-updates --delete --no-W", "-ai --delay-updates --partial-dir=.part --fsync", "-ai --partial-dir=.part -n")
	o.silent = true
	onFiles(t, o, "-a --partial-dir=.part --protocol=28", "-a --partial-dir=.part --delete --protocol=29", "-a --delay-updates --protocol=27", "-a --delay-updates --protocol=30 --delete-after")
}

func TestTempDir(t *testing.T) {
	o := oracle{dest: func(s *sandbox, dir string) {
		variedDest(s, dir)
		s.must(os.MkdirAll(dir+"/tmp", 0o755))
	}}
	other := memdir.Elsewhere(t)
	for name, line := range map[string]string{"fsync": "-ai --fsync -b", "delayed": "-ai --partial-dir=x --delay-updates"} {
		t.Run(name, func(t *testing.T) { onFiles(t, o, line+" --temp-dir="+other) })
	}
	onFiles(t, o, "-ai --temp-dir=tmp")
	o.silent = true // rsync tells of no file that it cannot make
	onFiles(t, o, "-a --temp-dir=tmp --delete")
}

func TestSparse(t *testing.T) {
	o := oracle{source: func(s *sandbox, dir string) {
		variedTree(s, dir)
		holes := make([]byte, 300_000)
		copy(holes[100_000:], random(50_000, 8))
		s.write(dir+"/holes", holes, then)
		s.write(dir+"/only zeros", make([]byte, 70_000), then)
	}, dest: func(s *sandbox, dir string) {
		variedDest(s, dir)
		s.write(dir+"/holes", random(200_000, 8), then-1)
	}}
	onFiles(t, o, "-aiS", "-aiS --inplace --no-W", "-aiS --inplace -W", "-aiS --preallocate", "-ai --preallocate --inplace", "-ai --preallocate")
}

// altDest has earlier copies of the source beside the destination.
func altDest(s *sandbox, dir string) {
	for i, name := range []string{"one", "two"} {
		there := dir + "/../" + name
		variedTree(s, there)
		s.write(there+"/new", random(5000-i, 2), then+2)
		s.write(there+"/changed", []byte("ne!"), then+int64(i))
		s.must(os.Chmod(there+"/mode", os.FileMode(0o600+i*0o44)))
		s.must(os.Chmod(there+"/sub/deep", os.FileMode(0o700+i*0o55)))
		s.must(touch(there+"/link", then+int64(i)*100))
		s.must(os.Remove(there + "/becomes link"))
		s.must(touch(there+"/sub/deep", then+100))
		s.must(touch(there+"/sub", then+100))
	}
	s.write(dir+"/changed", []byte("old and longer"), then-2)
	s.write(dir+"/same", []byte("the same"), then)
	s.must(os.Symlink("elsewhere", dir+"/link"))
}

func TestAlternatives(t *testing.T) {
	o := oracle{dest: altDest}
	for _, kind := range []string{"compare", "copy", "link"} {
		onFiles(t, o, "-ai --"+kind+"-dest=../one", "-aii --"+kind+"-dest=../two", "-ai --"+kind+"-dest=../one --"+kind+"-dest=../two/ --delete",
			"-aiiH --"+kind+"-dest=../one --"+kind+"-dest=../missing", "-ain --"+kind+"-dest=../one", "-aic --"+kind+"-dest=../one --no-W", "-vr --"+kind+"-dest=../one")
		q := o
		q.silent = true
		onFiles(t, q, "-a --"+kind+"-dest=../one --protocol=28 --no-W")
	}
}

func TestFuzzy(t *testing.T) {
	o := oracle{dest: func(s *sandbox, dir string) {
		altDest(s, dir)
		s.write(dir+"/new.1", random(4000, 2), then)
		s.write(dir+"/../one/fresh.old", random(4000, 7), then)
	}, source: func(s *sandbox, dir string) {
		variedTree(s, dir)
		s.write(dir+"/fresh", random(4000, 7), then)
	}}
	onFiles(t, o, "-ai --fuzzy --no-W", "-ai -yy --compare-dest=../one --no-W", "-aiyy --link-dest=../one --link-dest=../two --no-W", "-ai -y --delete-after")
}

// TestCopyDevices reads a device like a file; a fifo stays one.
func TestCopyDevices(t *testing.T) {
	o := oracle{source: func(s *sandbox, dir string) {
		variedTree(s, dir)
		s.must(syscall.Mknod(dir+"/null", syscall.S_IFCHR|0o666, 1<<8|3))
		s.must(touch(dir+"/null", then))
		s.must(touch(dir, then+100))
	}}
	onFiles(t, o, "-ai --copy-devices", "-rti --copy-devices", "-aicn --copy-devices --protocol=30")
}

// TestMkPath makes what leads to the destination.
func TestMkPath(t *testing.T) {
	for i, below := range []string{"/a/b", "/a/b/", "/a"} {
		for _, line := range []string{"-ai --mkpath", "-v --mkpath --dirs -n"} {
			t.Run(strings.ReplaceAll(line+below, "/", "_"), func(t *testing.T) {
				o := oracle{flags: strings.Fields(line), below: below, source: variedTree, roles: someRoles(i)}
				o.run(t)
				o.only = "/new"
				o.roles = someRoles(i + 1)
				t.Run("file", o.run)
			})
		}
	}
}

func TestDeleteDelay(t *testing.T) {
	onFiles(t, oracle{}, "-ai --delete-delay", "-aibn --delete-delay", "-aib --delete-delay --max-delete=3 --delay-updates", "-ai --delete-delay --no-i-r")
	onFiles(t, oracle{silent: true}, "-a --delete-delay --protocol=29")
}

// Names from a file may lie in several folders, have attributes that are asked
// for later, and lead through links out of the folder that they start from.
func TestNamesInFolders(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("top\none/a\ntwo/./b\ntwo/away\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(outside, time.Unix(then, 0), time.Unix(then, 0)); err != nil {
		t.Fatal(err)
	}
	source := func(s *sandbox, dir string) {
		for _, name := range []string{"top", "one/a", "two/b"} {
			s.write(dir+"/"+name, []byte(name), then)
			s.must(unix.Setxattr(dir+"/"+name, "user.long", random(500, uint64(len(name))), 0))
		}
		s.must(os.Symlink(outside, dir+"/two/away"))
		for _, folder := range []string{"/one", "/two"} {
			s.must(os.Chtimes(dir+folder, time.Unix(then, 0), time.Unix(then, 0)))
		}
	}
	for _, flags := range []string{"-aX --no-R", "-aX", "-rtL", "-rtL --no-R --protocol=28", "-rt --copy-unsafe-links"} {
		onFiles(t, oracle{source: source, dest: func(*sandbox, string) {}}, flags+" --files-from="+list)
	}
}

// What is missing at the source has no attributes, and is deleted all the same.
func TestMissingHasNoAttributes(t *testing.T) {
	t.Parallel()
	onFiles(t, oracle{
		source: func(s *sandbox, dir string) { s.write(dir+"/here", nil, then) },
		dest:   func(s *sandbox, dir string) { s.write(dir+"/gone", []byte("gone"), then) },
		only:   "/gone",
	}, "-aiX --delete-missing-args", "-aiAX --delete-missing-args --no-i-r", "-aiA --delete-missing-args")
}

// Of a file with several names the one is transferred that is here already, or
// nearly so, or else the last one. Which that is shows in the output.
func TestLinkedNames(t *testing.T) {
	t.Parallel()
	source := func(s *sandbox, dir string) {
		s.write(dir+"/a", random(20_000, 1), then)
		s.write(dir+"/m", []byte("small"), then)
		for _, name := range []string{"z", "sub/b"} {
			s.write(dir+"/sub/other", nil, then)
			s.must(os.Link(dir+"/a", dir+"/"+name))
			s.must(os.Link(dir+"/m", dir+"/"+name+".m"))
		}
		s.must(os.Symlink("a", dir+"/l"))
		s.must(touch(dir+"/l", then)) // links are made in whatever second it is
		s.must(os.Link(dir+"/l", dir+"/sub/l"))
		for _, folder := range []string{"/sub", ""} {
			s.must(os.Chtimes(dir+folder, time.Unix(then, 0), time.Unix(then, 0)))
		}
	}
	for _, dest := range []func(s *sandbox, dir string){
		func(*sandbox, string) {},
		func(s *sandbox, dir string) { s.write(dir+"/sub/b", random(20_000, 1), then) },
		func(s *sandbox, dir string) {
			s.write(dir+"/z", random(19_000, 1), then-5)
			s.write(dir+"/sub/b.m", []byte("newer"), then+5)
		},
		func(s *sandbox, dir string) {
			source(s, dir)
			s.must(os.Remove(dir + "/z"))
			s.must(os.Remove(dir + "/m"))
			s.write(dir+"/sub/b.m", []byte("another"), then)
		},
	} {
		onFiles(t, oracle{source: source, dest: dest}, "-aiH --no-i-r", "-aiHu --no-i-r", "-aiH --no-i-r --max-size=100", "-aiHc --protocol=29", "-aiH --existing --no-i-r")
		onFiles(t, oracle{source: source, dest: dest, silent: true}, "-aH", "-aHu", "-aH --delay-updates --delete", "-aHy")
	}
}

// What is passed over is told, why a rule hides a file, and what stays.
func TestPassedOver(t *testing.T) {
	t.Parallel()
	sizes := func(s *sandbox, dir string) {
		s.write(dir+"/same", []byte("the same"), then)
		s.write(dir+"/fresh/big", make([]byte, 5000), then)
		s.write(dir+"/fresh/deeper/tiny", []byte("1"), then)
		s.write(dir+"/older.o", []byte("old"), then-86400)
		s.write(dir+"/mode", []byte("mode"), then)
		s.must(os.Symlink("new", dir+"/link"))
		s.must(syscall.Mkfifo(dir+"/fifo", 0o644))
		s.write(dir+"/fresh/.rsync-filter", []byte("- tiny\n"), then)
		for _, folder := range []string{"/fresh/deeper", "/fresh"} { // one of this second counts as unchanged
			s.must(os.Chtimes(dir+folder, time.Unix(then, 0), time.Unix(then, 0)))
		}
	}
	before := func(s *sandbox, dir string) {
		s.write(dir+"/same", []byte("the same"), then)
		s.write(dir+"/older.o", []byte("newer"), then)
		s.write(dir+"/mode", []byte("mode"), then)
		s.must(os.Chmod(dir+"/mode", 0o600))
		s.must(os.Symlink("old", dir+"/link"))
		s.write(dir+"/fifo", nil, then)
		s.write(dir+"/gone.o", []byte("gone"), then)
	}
	onFiles(t, oracle{source: sizes, dest: before},
		"-r --info=skip --existing", "-a --info=skip2 --ignore-existing", "-ac --info=skip2 --ignore-existing", "-rlt --info=skip --ignore-existing",
		"-ai --info=skip -u", "-r --info=skip --max-size=2000 --min-size=3 --no-W", "-avv --debug=NONE", "-avv --debug=NONE --protocol=28", "-a --info=name --protocol=26",
		"-a --debug=filter --include=fresh/ --exclude=/f* --exclude=sam[e] -C", "-a --debug=filter -F --del --exclude=*.o",
	)
}
