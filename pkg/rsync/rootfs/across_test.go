package rootfs

import (
	"bytes"
	"io/fs"
	"os"
	"testing"
)

// other opens a second root beside the place's own, with a file, a folder and
// links that lead out of both.
func (p *place) other() *Root {
	p.t.Helper()
	p.put("../other/f", "theirs")
	p.put("../other/d/f", "deep")
	p.link("../../outside", "../other/d/out")
	r, err := Open(p.dir + "/../other")
	must(p.t, err)
	p.t.Cleanup(func() { r.Close() })
	return r
}

func TestLinkFrom(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		from := p.other()
		p.put("taken", "ours")
		p.put("dir/x", "x")
		p.link("../outside", "away")
		must(t, p.LinkFrom(from, "d/f", "new"))
		if a, b := p.lstat("new"), p.get("new"); a.Nlink != 2 || b != "deep" {
			t.Errorf("%+v, %q", a, b)
		}
		wantErr(t, p.LinkFrom(from, "f", "taken"), fs.ErrExist)
		must(t, p.ReplaceLinkFrom(from, "f", "taken"))
		if p.get("taken") != "theirs" {
			t.Errorf("%q", p.get("taken"))
		}
		for _, c := range []struct {
			old, new string
			want     error
		}{
			{"none", "n", fs.ErrNotExist}, {"f", "none/n", fs.ErrNotExist}, {"d/out/secret", "n", ErrSymlink}, {"f", "away/n", ErrSymlink},
			{"../outside/secret", "n", ErrEscapes}, {"f", "../outside/n", ErrEscapes}, {"f", ".", ErrBadPath},
		} {
			wantErr(t, p.LinkFrom(from, c.old, c.new), c.want)
			wantErr(t, p.ReplaceLinkFrom(from, c.old, c.new), c.want)
			wantErr(t, p.RenameFrom(from, c.old, c.new), c.want)
		}
		if err := p.ReplaceLinkFrom(from, "f", "dir"); err == nil {
			t.Error("a folder has been replaced by a link")
		}
	})
}

func TestRenameFrom(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		from := p.other()
		p.put("taken", "ours")
		if _, err := from.Lstat("d/f"); err != nil { // now its folder is known
			t.Fatal(err)
		}
		must(t, p.RenameFrom(from, "f", "taken"))
		must(t, p.RenameFrom(from, "d", "moved"))
		if p.get("taken") != "theirs" || p.get("moved/f") != "deep" {
			t.Errorf("%q, %q", p.get("taken"), p.get("moved/f"))
		}
		_, err := from.Lstat("d/f")
		wantErr(t, err, fs.ErrNotExist)
		wantErr(t, p.RenameFrom(from, ".", "all"), ErrBadPath)
	})
}

func TestCommitTo(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		to := p.other()
		for name, want := range map[string]error{"f": nil, "d/new": nil, "d/out/new": ErrSymlink, "no/new": fs.ErrNotExist} {
			tmp, err := p.CreateTemp("x")
			must(t, err)
			if tmp.Root() != p.Root {
				t.Error("it is below another root")
			}
			_, err = tmp.Write([]byte("new"))
			must(t, err)
			if err = tmp.CommitTo(to, name); want != nil {
				wantErr(t, err, want)
			} else if text, readErr := os.ReadFile(p.dir + "/../other/" + name); err != nil || readErr != nil || string(text) != "new" {
				t.Errorf("%s: %q, %v, %v", name, text, err, readErr)
			}
			wantErr(t, tmp.CommitTo(to, "again"), fs.ErrClosed)
		}
		if names, err := p.ReadDir("."); err != nil || len(names) != 0 {
			t.Errorf("left behind: %v, %v", names, err)
		}
	})
}

func TestPunchHole(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		const size = 300_000
		want := bytes.Repeat([]byte("x"), size)
		p.put("f", string(want))
		f, _, err := p.OpenWrite("f", 0o600)
		must(t, err)
		for _, h := range [][2]int64{{0, 1}, {5000, 200_000}, {size - 10, 10}, {size - 5, 100}} {
			must(t, f.PunchHole(h[0], h[1]))
			clear(want[h[0]:min(h[0]+h[1], size)])
		}
		if got := p.get("f"); got != string(want) {
			t.Errorf("%d bytes that differ", len(got))
		}
		if f.End() != size {
			t.Errorf("it ends at %d", f.End())
		}
		f.SeekTo(size - 20)
		_, err = f.Write([]byte("0123456789"))
		must(t, err)
		if got := p.get("f")[size-20:]; got != "0123456789"+string(make([]byte, 10)) {
			t.Errorf("%q", got)
		}
		must(t, f.Close())
		wantErr(t, f.PunchHole(0, 1), fs.ErrClosed)
		if f.End() != 0 {
			t.Error("a closed file has an end")
		}
	})
}
