package rootfs

import (
	"io"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// links fills a place with links that stay inside and such as lead out.
func links(p *place) {
	p.put("a/file", "in a")
	p.put("b/file", "in b")
	p.put("b/sub/deep", "deep")
	p.link("../b", "a/to b")
	p.link("a", "to a")
	p.link("to a/to b/sub", "far")
	p.link("/b/sub", "rooted")
	p.link("../../b/file", "a/above")
	p.link("../../outside", "a/out")
	p.link(p.outside, "absolute")
	p.link("loop", "loop")
	p.link("file", "a/same")
}

func TestFollowing(t *testing.T) {
	type place2 struct{ base, path, content string }
	everywhere(t, func(t *testing.T, p *place) {
		links(p)
		for links, tests := range map[Links]map[place2]error{
			LinksBeneath: {
				{".", "a/to b/file", "in b"}: nil, {".", "far/deep", "deep"}: nil, {"a", "to b/sub/deep", "deep"}: nil, {"a", "same", "in a"}: nil,
				{".", "rooted/deep", ""}: ErrEscapes, {".", "a/above", ""}: ErrEscapes, {".", "a/out/secret", ""}: ErrEscapes,
				{".", "absolute/secret", ""}: ErrEscapes, {".", "loop", ""}: unix.ELOOP, {".", "a/none", ""}: fs.ErrNotExist,
			},
			LinksAsRoot: {
				{".", "rooted/deep", "deep"}: nil, {"a", "above", "in b"}: nil, {"to a", "to b/file", "in b"}: nil,
				{".", "a/out/secret", ""}: fs.ErrNotExist, {"a", "out/secret", ""}: fs.ErrNotExist, {".", "absolute/secret", ""}: fs.ErrNotExist,
				{".", "loop", ""}: unix.ELOOP, {".", "a/file/x", ""}: unix.ENOTDIR,
			},
		} {
			for at, want := range tests {
				r, err := p.Following(at.base, links)
				must(t, err)
				info, err := r.Stat(at.path)
				if want != nil {
					wantErr(t, err, want)
				} else if err != nil || !info.IsRegular() {
					t.Errorf("%d %v: %v, mode %o", links, at, err, info.Mode)
				}
				f, _, err := r.OpenRead(at.path, Follow)
				if want != nil {
					wantErr(t, err, want)
				} else {
					must(t, err)
					got, _ := io.ReadAll(f)
					if string(got) != at.content {
						t.Errorf("%d %v: %q", links, at, got)
					}
					must(t, f.Close())
				}
				must(t, r.Close())
			}
		}
		if _, err := p.Following("absolute", LinksBeneath); err == nil {
			t.Error("a base outside was opened")
		}
	})
}

// What is written through links stays inside, and metadata of a folder is its
// own, not that of the link to it.
func TestFollowingWrites(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		links(p)
		r, err := p.Following("a", LinksBeneath)
		must(t, err)
		defer r.Close()
		for _, path := range []string{"out/new", "above/x"} {
			if _, err := r.CreateTemp(path); err == nil {
				t.Errorf("a file was made at %s", path)
			}
			if err := r.Mkdir(path, 0o700); err == nil {
				t.Errorf("a folder was made at %s", path)
			}
		}
		must(t, r.Mkdir("to b/made", 0o700))
		info, err := r.Stat("to b")
		must(t, err)
		must(t, r.UpdateMetadata("to b", info, Meta{Fields: FieldMode | FieldMtime, Mode: 0o711, Mtime: 12345}))
		must(t, r.SetMetadata("to b/made", Meta{Fields: FieldMode, Mode: 0o750}))
		for path, want := range map[string]uint32{"b": 0o711, "b/made": 0o750} {
			if info, err := p.Lstat(path); err != nil || info.Perm() != want {
				t.Errorf("%s: %o, %v", path, info.Perm(), err)
			}
		}
		if link, _ := p.Lstat("a/to b"); !link.IsSymlink() || link.Mtime == 12345 {
			t.Errorf("the link was changed: %+v", link)
		}
		names, err := r.ReadDir("to b")
		if err != nil || len(names) != 3 {
			t.Errorf("ReadDir: %v, %v", names, err)
		}
		if _, err := r.ReadDir("out"); err == nil {
			t.Error("a folder outside was read")
		}
		must(t, os.Remove(p.dir+"/a/to b"))
		p.link("../../outside", "a/to b") // while its handle may be kept
		r.Forget()
		if err := r.Mkdir("to b/again", 0o700); err == nil {
			t.Error("a folder was made outside")
		}
	})
}
