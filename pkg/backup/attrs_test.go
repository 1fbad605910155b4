package backup

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/acl"
)

// give sets an extended attribute of a file of the source.
func (b *bench) give(name, attr string, value []byte) {
	b.t.Helper()
	b.must(unix.Lsetxattr(filepath.Join(b.src, name), attr, value, 0))
}

// has is an extended attribute of a file in a snapshot, "" if it has none.
func (b *bench) has(snapshot, name, attr string) string {
	b.t.Helper()
	value := make([]byte, 4096)
	n, err := unix.Lgetxattr(filepath.Join(b.dst, snapshot, name), attr, value)
	if err != nil {
		return ""
	}
	return string(value[:n])
}

// TestAttributes: with -A and -X a file is shared night after night as long as its
// attributes are the same. One that gets others keeps the old ones in the old
// snapshot, and its data is not brought again.
func TestAttributes(t *testing.T) {
	t.Parallel()
	const colour, plain, listed = "user.colour", "mode", "d/deep/also kept"
	rights := func(perms uint8) []byte {
		return acl.List{User: 6, Group: 4, Mask: 6, Other: 4, Names: []acl.Name{{ID: 7777, Perms: perms, IsUser: true}}}.Append(nil)
	}
	b := newBench(t)
	b.give("kept", colour, []byte("red"))
	b.give(plain, colour, []byte("green"))
	b.give(listed, acl.Access, rights(4))
	night := func(transferred int) string {
		t.Helper()
		b.now = b.now.Add(24 * time.Hour)
		r, err := b.run(nil, "-A", "-X")
		if err != nil {
			t.Fatalf("%v\n%s", err, &b.out)
		}
		if r.Stats.Transferred != transferred {
			t.Errorf("%d files transferred, want %d", r.Stats.Transferred, transferred)
		}
		return r.Snapshot.Name
	}
	shared := func(name, one, other string) bool {
		t.Helper()
		return inode(t, filepath.Join(b.dst, one, name)) == inode(t, filepath.Join(b.dst, other, name))
	}
	first, second := night(3), night(0)
	b.give(plain, colour, []byte("blue"))
	b.give(listed, acl.Access, rights(6))
	third := night(0)
	for _, c := range []struct {
		snapshot, name, attr, want string
	}{
		{first, "kept", colour, "red"}, {third, "kept", colour, "red"}, {third, "another name", colour, "red"},
		{first, plain, colour, "green"}, {second, plain, colour, "green"}, {third, plain, colour, "blue"},
		{first, listed, acl.Access, string(rights(4))}, {second, listed, acl.Access, string(rights(4))}, {third, listed, acl.Access, string(rights(6))},
	} {
		if got := b.has(c.snapshot, c.name, c.attr); got != c.want {
			t.Errorf("%s/%s: %s is %q, want %q", c.snapshot, c.name, c.attr, got, c.want)
		}
	}
	for _, name := range []string{"kept", "another name", plain, listed} {
		if !shared(name, first, second) {
			t.Errorf("%s is not shared by the first two", name)
		}
		if got, want := shared(name, second, third), name != plain && name != listed; got != want {
			t.Errorf("%s is shared by the last two: %v, want %v", name, got, want)
		}
	}
}
