package interop

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/acl"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"golang.org/x/sys/unix"
)

// then is when the tests' files were written.
const then = 1_000_000_000

// plainTree has files, folders and a link with all sorts of modes and owners.
func plainTree(s *sandbox, dir string) {
	s.write(dir+"/file", []byte("a file"), then)
	s.write(dir+"/script", []byte("#!/bin/sh\n"), then+1)
	s.write(dir+"/sub/secret", []byte("a secret"), then+2)
	s.write(dir+"/sub/bin/tool", []byte("a tool"), then+3)
	s.must(os.Symlink("file", dir+"/link"))
	for name, mode := range map[string]uint32{"file": 0o664, "script": 0o755, "sub/secret": 0o600, "sub/bin/tool": 0o4711, "sub": 0o750, "sub/bin": 0o2775} {
		if os.Geteuid() == 0 {
			s.must(os.Lchown(dir+"/"+name, 1000+int(mode), 33))
		}
		s.must(syscall.Chmod(dir+"/"+name, mode))
	}
	s.settle(dir, "sub/bin", "sub", ".")
}

// settle gives folders and links times of their own.
func (s *sandbox) settle(dir string, names ...string) {
	for i, n := range names {
		s.must(touch(dir+"/"+n, then+100+int64(i)))
	}
	_ = touch(dir+"/link", then+50)
}

func touch(p string, sec int64) error {
	at := unix.NsecToTimespec(sec * 1e9)
	return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// olderTree is a destination with some of plainTree's files, otherwise.
func olderTree(s *sandbox, dir string) {
	s.write(dir+"/file", []byte("a file"), then)
	s.write(dir+"/script", []byte("#!/bin/sh\n"), then+1)
	s.write(dir+"/sub/bin/tool", []byte("an older tool"), then)
	s.must(syscall.Chmod(dir+"/file", 0o755))
	s.must(syscall.Chmod(dir+"/script", 0o640))
	s.must(syscall.Chmod(dir+"/sub/bin/tool", 0o600))
	s.settle(dir, "sub/bin", "sub")
}

// TestAccessTimes compares -U and --open-noatime with rsync. Reading what is
// compared must not change it, and folders' access times are nobody's.
func TestAccessTimes(t *testing.T) {
	source := func(s *sandbox, dir string) {
		plainTree(s, dir)
		for i, name := range []string{"file", "script", "sub/secret", "sub/bin/tool"} {
			s.must(accessed(dir+"/"+name, int64(then-1000*i)))
		}
	}
	dest := func(s *sandbox, dir string) {
		olderTree(s, dir)
		s.must(accessed(dir+"/file", then))
		s.must(accessed(dir+"/script", then-77))
	}
	for _, flags := range []string{"-aiU", "-aiUU --protocol=30", "-rltUi --protocol=29", "-aiUU --no-t -c", "-aHiU --open-noatime --protocol=28", "-aUi --size-only"} {
		t.Run(flags, func(t *testing.T) {
			oracle{flags: strings.Fields(flags), source: source, dest: dest, atimes: true}.run(t)
		})
	}
}

// accessed sets a file's access time alone.
func accessed(p string, sec int64) error {
	return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{unix.NsecToTimespec(sec * 1e9), {Nsec: unix.UTIME_OMIT}}, unix.AT_SYMLINK_NOFOLLOW)
}

// attributedTree has extended attributes, short and long ones, on everything
// that can have them.
func attributedTree(s *sandbox, dir string) {
	plainTree(s, dir)
	s.must(os.Link(dir+"/file", dir+"/sub/hard"))
	s.must(unix.Mkfifo(dir+"/fifo", 0o600))
	long := strings.Repeat("long ", 100)
	s.attributes(dir+"/file", "user.short", "a value", "user.long", long, "user.empty", "")
	s.attributes(dir+"/script", "user.long", long, "user.longer", long+long)
	s.attributes(dir+"/sub/bin/tool", "user.long", long, "user.longer", long+long)
	s.attributes(dir+"/sub", "user.folder", "of a folder", "user.long", long)
	s.attributes(dir+"/sub/secret", "user.other", strings.Repeat("x", 33), "user.rsync.%stat", "100644 0,0 5:6", "user.rsync.x", "y")
	if os.Geteuid() == 0 {
		s.attributes(dir+"/file", "trusted.root", "for root", "trusted.long", long)
		s.attributes(dir+"/link", "trusted.link", "of the link", "trusted.long", long)
		s.attributes(dir+"/fifo", "trusted.fifo", "of the fifo")
		s.attributes(dir+"/sub/secret", "security.mine", "marked")
	}
	s.must(touch(dir+"/fifo", then))
	s.settle(dir, "sub/bin", "sub", ".")
}

// attributes sets a file's or a link's own attributes: names and values by turns.
func (s *sandbox) attributes(p string, pairs ...string) {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := unix.Lsetxattr(p, pairs[i], []byte(pairs[i+1]), 0); err != nil {
			s.t.Fatalf("the tests need a file system with extended attributes for temporary files: %s: %v", pairs[i], err)
		}
	}
}

// olderAttributes has some of them, and some that should go.
func olderAttributes(s *sandbox, dir string) {
	olderTree(s, dir)
	long := strings.Repeat("long ", 100)
	s.attributes(dir+"/file", "user.short", "another value", "user.long", long, "user.gone", "x", "user.gone too", long)
	s.attributes(dir+"/script", "user.long", long, "user.longer", long+"!"+long)
	s.attributes(dir+"/sub/bin/tool", "user.longer", long+long)
	s.attributes(dir+"/sub/bin/tool", "user.rsync.%stat", "100644 0,0 5:6")
	s.attributes(dir+"/sub", "user.gone", "y")
	s.must(touch(dir+"/sub", then+101))
	s.must(touch(dir+"/sub/bin", then+100))
}

// TestXattrs compares -X with rsync.
func TestXattrs(t *testing.T) {
	for i, flags := range []string{
		"-aiX", "-aiHX --delete", "-aiX --protocol=30", "-aiHX --protocol=30", "-rtpiXX", "-aiXHI --no-W", "-aXii --no-i-r", "-aniX", "-aiXc", "-aiX --inplace", "-aiAX --inplace --no-W",
		"-aiX --filter=-x_user.long*", "-aiX --filter=-xs_*.long --filter=-xr_user.gone", "-aiX --protocol=29", "-aiX --size-only --existing", "-aiXk --no-specials",
	} {
		t.Run(flags, func(t *testing.T) {
			roles := someRoles(i)
			switch {
			case i < 2:
				roles = nil
			case strings.Contains(flags, "=-x") || strings.Contains(flags, "=29"):
				roles = []string{"our client pulls", "our server sends", "our server receives"}
			}
			oracle{flags: strings.Fields(flags), source: attributedTree, dest: olderAttributes, roles: roles}.run(t)
		})
	}
}

// listedTree has access control lists of all kinds.
func listedTree(s *sandbox, dir string) {
	plainTree(s, dir)
	user := func(id uint32, perms uint8) acl.Name { return acl.Name{ID: id, Perms: perms, IsUser: true} }
	group := func(id uint32, perms uint8) acl.Name { return acl.Name{ID: id, Perms: perms} }
	s.list(dir+"/file", acl.Access, acl.List{User: 6, Group: 4, Mask: 6, Other: 4, Names: []acl.Name{user(1, 6), user(7777, 4), group(2, 6)}})
	s.list(dir+"/script", acl.Access, acl.List{User: 7, Group: 5, Mask: 5, Other: 0, Names: []acl.Name{user(0, 7), group(0, 5), group(7777, 1)}})
	s.list(dir+"/sub/secret", acl.Access, acl.List{User: 6, Group: 4, Mask: 0, Other: 0})
	s.list(dir+"/sub", acl.Access, acl.List{User: 7, Group: 0, Mask: 7, Other: 1, Names: []acl.Name{group(2, 7)}})
	s.list(dir+"/sub", acl.Default, acl.List{User: 7, Group: 5, Mask: 5, Other: 0, Names: []acl.Name{user(1, 5)}})
	s.list(dir+"/sub/bin", acl.Default, acl.List{User: 7, Group: 5, Mask: acl.None, Other: 5})
	s.settle(dir, "sub/bin", "sub", ".")
}

func (s *sandbox) list(p, which string, l acl.List) {
	s.t.Helper()
	if err := unix.Lsetxattr(p, which, l.Append(nil), 0); err != nil {
		s.t.Fatalf("the tests need a file system with access control lists for temporary files: %v", err)
	}
}

// otherLists has some of listedTree's files, with other lists.
func otherLists(s *sandbox, dir string) {
	olderTree(s, dir)
	named := []acl.Name{{ID: 3, Perms: 7, IsUser: true}}
	s.list(dir+"/file", acl.Access, acl.List{User: 6, Group: 4, Mask: 6, Other: 4, Names: named})
	s.list(dir+"/sub/bin/tool", acl.Access, acl.List{User: 6, Group: 4, Mask: 6, Other: 4, Names: named})
	s.list(dir+"/sub/bin", acl.Default, acl.List{User: 7, Group: 5, Mask: 7, Other: 5, Names: named})
	s.list(dir, acl.Default, acl.List{User: 7, Group: 7, Mask: 7, Other: 5, Names: named})
	s.settle(dir, "sub/bin", "sub")
}

// TestACLs compares -A with rsync.
func TestACLs(t *testing.T) {
	for i, flags := range []string{
		"-aiA", "-aiAX --no-i-r", "-aAiH --numeric-ids", "-rtAi", "-aiAX --protocol=30 --no-i-r", "-aAni", "-aAi --usermap=daemon:9 --groupmap=0:8", "-aAi --chmod=g-w",
		"-aAIi --no-o --no-g",
	} {
		t.Run(flags, func(t *testing.T) {
			roles := someRoles(i)
			if i < 2 {
				roles = nil
			}
			oracle{flags: strings.Fields(flags), source: listedTree, dest: otherLists, roles: roles}.run(t)
		})
	}
}

// linkTree has links of all kinds, within the source and out of it.
func linkTree(s *sandbox, dir string) {
	plainTree(s, dir)
	out := filepath.Join(filepath.Dir(dir), "outside")
	s.write(out+"/file", []byte("outside"), then+5)
	s.write(out+"/sub/file", []byte("outside, below"), then+6)
	s.settle(out, "sub", ".")
	for name, target := range map[string]string{
		"to folder": "sub", "sub/up": "../file", "sub/out and in": "../../src/file", "sub/bin/far up": "../../../outside/file",
		"absolute": out + "/file", "absolute folder": out + "/sub", "relative out": "../outside/sub", "twice": "to folder/bin", "sub/tricky": "bin/../../file",
		"munged": "/rsyncd-munged/file", "ends up": "sub/bin/..", "dots": "./sub/./bin/tool",
	} {
		s.must(os.Symlink(target, dir+"/"+name))
		s.must(touch(dir+"/"+name, then+60))
	}
	s.settle(dir, "sub/bin", "sub", ".")
}

// TestLinkOptions compares the options about symbolic links with rsync.
func TestLinkOptions(t *testing.T) {
	for i, flags := range []string{
		"-ai", "-aiL", "-aik", "-rtik", "-aikv", "-ai --copy-unsafe-links", "-aiv --copy-unsafe-links", "-aiv --safe-links", "-rliv --safe-links --copy-unsafe-links",
		"-aiL --protocol=28", "-ai --munge-links", "-aikL --copy-unsafe-links --safe-links --exclude=absolute*", "-dik", "-diL --delete", "-aiHL",
	} {
		t.Run(flags, func(t *testing.T) {
			oracle{flags: strings.Fields(flags), source: linkTree, dest: olderTree, roles: someRoles(i)}.run(t)
		})
	}
	t.Run("no referent", func(t *testing.T) {
		oracle{flags: []string{"-aiL", "--exclude=hidden"}, source: func(s *sandbox, dir string) {
			plainTree(s, dir)
			s.must(os.Symlink("nowhere", dir+"/dangling"))
			s.must(os.Symlink("nowhere", dir+"/sub/hidden"))
			s.must(os.Symlink("loop", dir+"/loop"))
			s.settle(dir, "sub", ".")
		}}.run(t)
	})
}

// TestKeepDirlinks writes through a link to a folder of the destination, and
// not through one that leads out of it. (rsync 3.5.0 sets the link's own owner
// and time, and fails at its mode.)
func TestKeepDirlinks(t *testing.T) {
	for _, role := range []string{"our client pulls", "our server receives", "we copy"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			plainTree(s, s.src)
			o := oracle{flags: strings.Fields("-aiK --delete --exclude=/real"), dest: func(s *sandbox, dir string) {
				s.write(dir+"/real/bin/tool", []byte("an older tool"), then)
				s.write(dir+"/real/extra", []byte("too much"), then)
				s.must(os.Symlink("real", dir+"/sub"))
			}}
			dst := o.prepared(s, "got")
			if got := o.role(s, role, dst); got.code != 0 {
				t.Errorf("exit code %d", got.code)
			}
			if target, _ := os.Readlink(dst + "/sub"); target != "real" {
				t.Errorf("the link leads to %q", target)
			}
			s.must(os.Remove(dst + "/sub"))
			s.must(os.Rename(dst+"/real", dst+"/sub"))
			s.must(touch(dst, then+102))
			sameTrees(t, s.src, dst)

			out := filepath.Join(s.dir, "outside")
			s.write(out+"/bin/tool", []byte("not yours"), then)
			before := snapshot(t, out)
			for _, target := range []string{out, "../../outside"} {
				s.must(os.RemoveAll(dst + "/sub"))
				s.must(os.Symlink(target, dst+"/sub"))
				if got := o.role(s, role, dst); got.code != int(proto.ExitPartial) {
					t.Errorf("%s: exit code %d", target, got.code)
				}
				if kept, _ := os.Readlink(dst + "/sub"); kept != target {
					t.Errorf("%s: the link leads to %q", target, kept)
				}
			}
			if after := snapshot(t, out); after != before {
				t.Errorf("outside was written to:\n%s", after)
			}
		})
	}
}

// TestModesAndOwners compares --chmod, -E and the maps of owners with rsync.
func TestModesAndOwners(t *testing.T) {
	for i, flags := range []string{
		"-ai --chmod=Dg+s,Fo-rwx,+X", "-rlti --chmod=F600,D711", "-rltE -i", "-rltEi --chmod=a+x", "-ai --chmod=u=rwX,go=u --no-p", "-aii --chmod=ug=s",
		"-ai --chown=1:2", "-ai --chown=nobody", "-ai --usermap=1436:7,1400-1500:8,*:9", "-ai --usermap=root:5 --groupmap=www-data:7,root:9",
		"-rti --usermap=0:12 --numeric-ids", "-ai --groupmap=w*:12,?oot:13 --protocol=29", "-ai --usermap=root:12 --protocol=30", "-rti --chown=:1",
		"-ai --usermap=nosuch:1,daemon:nosuch", "-ai --usermap=1-:2", "-ai --no-super", "-ai --super --owner",
	} {
		t.Run(flags, func(t *testing.T) {
			oracle{flags: strings.Fields(flags), source: plainTree, dest: olderTree, roles: someRoles(i)}.run(t)
		})
	}
}

// TestAlternativeAttributes compares -X and -A with rsync where earlier copies
// lie in other folders: some with all attributes, some with others, some short
// of long values.
func TestAlternativeAttributes(t *testing.T) {
	source := func(s *sandbox, dir string) {
		attributedTree(s, dir)
		listedTree(s, dir+"/listed")
		s.settle(dir, ".")
	}
	dest := func(s *sandbox, dir string) {
		s.write(dir+"/script", []byte("#!/bin/sh\n"), then+1)
		one := dir + "/../one"
		source(s, one)
		s.attributes(one+"/script", "user.short", "of the copy", "user.longer", strings.Repeat("other ", 50))
		s.attributes(one+"/sub", "user.short", "of the copy")
		s.list(one+"/listed/script", acl.Access, acl.List{User: 7, Group: 5, Mask: 5, Other: 0, Names: []acl.Name{{ID: 5, Perms: 7, IsUser: true}}})
		s.write(one+"/sub/secret", []byte("a secret that was shorter"), then)
		s.settle(one, "sub", ".")
	}
	for i, flags := range []string{
		"-aiX --copy-dest=../one", "-aiXA --link-dest=../one", "-aiXH --link-dest=../one", "-aiA --compare-dest=../one", "-aiXII --copy-dest=../one --no-W",
		"-aiAH --copy-dest=../one", "-aiiX --compare-dest=../one --fuzzy",
	} {
		t.Run(strings.ReplaceAll(flags, "/", "_"), func(t *testing.T) {
			roles := someRoles(i)
			if i < 2 {
				roles = nil
			}
			oracle{flags: strings.Fields(flags), source: source, dest: dest, roles: roles, beside: true}.run(t)
		})
	}
}

// TestModesOfNew compares the modes that new things get without -p, and those of
// what takes the place of something else, with rsync. (A link's own are nobody's
// wish, but rsync 3.5.0 gives them to a device or fifo that replaces it.)
func TestModesOfNew(t *testing.T) {
	source := func(s *sandbox, dir string) {
		plainTree(s, dir)
		for _, name := range []string{"fifo", "over file", "over fifo", "sub/fifo"} {
			s.must(unix.Mkfifo(dir+"/"+name, 0o644))
			s.must(syscall.Chmod(dir+"/"+name, 0o775))
			s.must(touch(dir+"/"+name, then))
		}
		s.write(dir+"/over link", []byte("a file"), then)
		s.must(syscall.Chmod(dir+"/sub", 0o770))
		s.settle(dir, "sub", ".")
	}
	dest := func(s *sandbox, dir string) {
		s.write(dir+"/over file", []byte("a file"), then)
		s.must(unix.Mkfifo(dir+"/over fifo", 0o604))
		s.must(os.Symlink("nowhere", dir+"/over link"))
		s.must(syscall.Chmod(dir+"/over file", 0o640))
	}
	withList := func(s *sandbox, dir string) {
		dest(s, dir)
		s.list(dir, acl.Default, acl.List{User: 7, Group: 7, Mask: acl.None, Other: 0})
	}
	named := func(s *sandbox, dir string) {
		s.list(dir, acl.Default, acl.List{User: 6, Group: 7, Mask: 3, Other: 1, Names: []acl.Name{{ID: 3, Perms: 7, IsUser: true}}})
	}
	for i, dest := range []func(s *sandbox, dir string){dest, withList, named} {
		oracle{flags: strings.Fields("-rltDEi"), source: source, dest: dest, roles: someRoles(i + 2)}.run(t)
	}
}

// TestModesOfBasis: a new file that is made from another one's data has the
// permissions of a new file, and one that exists keeps its own, as rsync's manual
// says; rsync 3.5.0 gives it those of whatever it was made from.
func TestModesOfBasis(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	data := random(20_000, 1)
	for _, name := range []string{"new-name-1", "alt", "part", "both"} {
		s.write(s.src+"/"+name, data, then)
		s.must(syscall.Chmod(s.src+"/"+name, 0o664))
	}
	for name, mode := range map[string]uint32{"dst/new-name-2": 0o600, "alt/alt": 0o601, "dst/.part/part": 0o602, "dst/.part/both": 0o603, "dst/both": 0o640} {
		s.write(s.dir+"/"+name, data[:15_000], then-5)
		s.must(syscall.Chmod(s.dir+"/"+name, mode))
	}
	o := oracle{flags: strings.Fields("-rt --no-W --fuzzy --partial-dir=.part --copy-dest=../alt")}
	if got := o.copies(s, s.src+"/", s.dst+"/"); got.code != 0 {
		t.Fatalf("exit code %d", got.code)
	}
	for name, want := range map[string]os.FileMode{"new-name-1": 0o644, "alt": 0o644, "part": 0o644, "both": 0o640} {
		info, err := os.Stat(s.dst + "/" + name)
		s.must(err)
		if info.Mode() != want || info.Size() != int64(len(data)) {
			t.Errorf("%s: %v, %d bytes, want %v", name, info.Mode(), info.Size(), want)
		}
	}
}

// TestTimesOfLinks compares what is told of the times of links, which versions
// before 30 are not sure to set, with rsync.
func TestTimesOfLinks(t *testing.T) {
	dest := func(s *sandbox, dir string) {
		olderTree(s, dir)
		s.must(os.Symlink("file", dir+"/link"))
		s.must(os.Symlink("elsewhere", dir+"/sub/link"))
		s.must(touch(dir+"/link", then))
		s.must(touch(dir+"/sub/link", then))
		s.settle(dir, "sub/bin", "sub")
	}
	source := func(s *sandbox, dir string) {
		plainTree(s, dir)
		s.must(os.Symlink("file", dir+"/sub/link"))
		s.must(touch(dir+"/sub/link", then+3))
		s.settle(dir, "sub", ".")
	}
	for i, flags := range []string{"-ai --protocol=29", "-aiJ --protocol=29", "-aiJ", "-rli --protocol=28", "-ai"} {
		oracle{flags: strings.Fields(flags), source: source, dest: dest, roles: []string{"we copy", allRoles()[i%4]}}.run(t)
	}
}
