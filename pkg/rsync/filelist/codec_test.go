package filelist

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestRoundTrip(t *testing.T) {
	fields := map[string]Fields{
		"everything": all,
		"nothing":    {},
		"-rlt":       {Links: true},
		"-a":         {UID: true, GID: true, Links: true, Devices: true, Specials: true, Names: true},
		"numeric":    {UID: true, GID: true, Links: true, Devices: true, Specials: true},
		"-rg":        {GID: true, Names: true},
		"devices":    {Devices: true},
		"specials":   {Specials: true},
		"short sums": {SumLen: 2},
	}
	users := []IDName{{1000, "user"}, {0, "root"}, {7, ""}, {8, strings.Repeat("u", 255)}, {9, strings.Repeat("u", 256)}, {1<<32 - 1, "none"}}
	for _, d := range dialects(t) {
		for name, f := range fields {
			for _, ioError := range []int32{0, proto.IOErrGeneral | proto.IOErrVanished} {
				t.Run(fmt.Sprintf("%s/%s/%d", d.name, name, ioError), func(t *testing.T) {
					in := zoo()
					var want []string
					for _, e := range in {
						e = arrives(e, d.caps, f)
						want = append(want, describe(&e))
					}
					l, r, err := decode(d.caps, f, encode(d.caps, f, in, ioError, users, users[:2]))
					if err != nil || r.Buffered() != 0 {
						t.Fatalf("%v, %d bytes left", err, r.Buffered())
					}
					if diff := cmp.Diff(want, describeAll(flat(l))); diff != "" {
						t.Error(diff)
					}
					checkEnd(t, d.caps, f, l, ioError)
				})
			}
		}
	}
}

// checkEnd checks what comes after the entries of TestRoundTrip.
func checkEnd(t *testing.T, caps proto.Caps, f Fields, l *List, ioError int32) {
	t.Helper()
	if hasPlace := caps.IOErrorAfterList || caps.SafeList || caps.VarintFlags; !hasPlace {
		ioError = 0
	}
	if l.IOError != ioError {
		t.Errorf("I/O errors %d, want %d", l.IOError, ioError)
	}
	var users, groups map[uint32]string
	if f.Names && f.UID {
		users = map[uint32]string{1000: "user", 8: strings.Repeat("u", 255), 1<<32 - 1: "none"}
	}
	if f.Names && f.GID {
		groups = map[uint32]string{1000: "user"}
	}
	for _, m := range []map[uint32]string{users, groups} {
		if m != nil && caps.ID0Names {
			m[0] = "root"
		}
	}
	if d := cmp.Diff(users, l.Users); d != "" {
		t.Error("users", d)
	}
	if d := cmp.Diff(groups, l.Groups); d != "" {
		t.Error("groups", d)
	}
}

const golden = "testdata/lists.txt"

// The bytes of the zoo in each dialect, an entry a line, so that a change on
// the wire does not go unseen. Runs of more than eight equal bytes are folded.
func TestGoldenBytes(t *testing.T) {
	var out bytes.Buffer
	for _, d := range dialects(t) {
		fmt.Fprintf(&out, "protocol %s\n", d.name)
		enc := NewEncoder(d.caps, all)
		in := zoo()
		for i := range in {
			fmt.Fprintf(&out, "  %-12.12s %s\n", fmt.Sprintf("%+q", in[i].Base), fold(enc.Append(nil, &in[i])))
		}
		fmt.Fprintf(&out, "  end          %s\n", fold(enc.AppendEnd(nil, proto.IOErrGeneral, []IDName{{0, "root"}, {1000, "u"}}, []IDName{{100, "g"}})))
	}
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); d != "" {
		t.Errorf("the wire form has changed; peers will not understand it (-golden +now):\n%s", d)
	}
}

func fold(p []byte) string {
	var s strings.Builder
	for i := 0; i < len(p); {
		n := i
		for n < len(p) && p[n] == p[i] {
			n++
		}
		if n-i > 8 {
			fmt.Fprintf(&s, "(%02x*%d)", p[i], n-i)
			i = n
			continue
		}
		fmt.Fprintf(&s, "%02x", p[i])
		i++
	}
	return s.String()
}

// An entry by hand, from flist.c:send_file_entry, next to the golden file that
// the encoder itself has written.
func TestEntryByHand(t *testing.T) {
	caps := func(v int) proto.Caps {
		c, err := proto.New(v)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	file := entry("ab", ModeFile|0o644, at(1_000_000_000, 5), size(5), owner(7, 8))
	f := Fields{UID: true, GID: true}
	for _, tt := range []struct {
		name string
		caps proto.Caps
		want string
	}{
		{"27", caps(27), "01" + "02" + "6162" + "05000000" + "00ca9a3b" + "a4810000" + "07000000" + "08000000"},
		{"29", caps(29), "01" + "02" + "6162" + "05000000" + "00ca9a3b" + "a4810000" + "07000000" + "08000000"},
		{"30", caps(30), "01" + "02" + "6162" + "000500" + "3b00ca9a" + "a4810000" + "07" + "08"},
		{"31", caps(31), "0420" + "02" + "6162" + "000500" + "3b00ca9a" + "05" + "a4810000" + "07" + "08"},
		{"31 varint", caps(31).WithCompat(proto.CompatVarintFlags), "a000" + "02" + "6162" + "000500" + "3b00ca9a" + "05" + "a4810000" + "07" + "08"},
	} {
		if got := fmt.Sprintf("%x", NewEncoder(tt.caps, f).Append(nil, &file)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestProgress(t *testing.T) {
	caps := dialects(t)[0].caps
	entries := make([]Entry, 2500)
	for i := range entries {
		entries[i] = entry(fmt.Sprint(i), ModeFile)
	}
	var calls []int
	l, err := NewDecoder(caps, Fields{}).Read(
		wire.NewReader(bytes.NewReader(encode(caps, Fields{}, entries, 0, nil, nil)), 0), func(n int) { calls = append(calls, n) })
	if err != nil || l.Len() != 2500 {
		t.Fatalf("%v", err)
	}
	if d := cmp.Diff([]int{1000, 2000}, calls); d != "" {
		t.Error(d)
	}
}

// Entries of one folder share the folder's string.
func TestFoldersAreShared(t *testing.T) {
	caps := dialects(t)[0].caps
	l, _, err := decode(caps, Fields{}, encode(caps, Fields{}, []Entry{
		entry("some/folder/a", ModeFile), entry("some/folder/b", ModeFile), entry("some/other/c", ModeFile), entry("top", ModeFile),
	}, 0, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := l.At(int32(0)).Dir, l.At(int32(1)).Dir; a != "some/folder" || !sameString(a, b) {
		t.Errorf("%q and %q are not one string", a, b)
	}
	if l.At(int32(2)).Dir != "some/other" || l.At(int32(3)).Dir != "" || l.At(int32(3)).Base != "top" {
		t.Errorf("%q", describeAll(flat(l)))
	}
}
