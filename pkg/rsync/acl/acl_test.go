package acl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/wire"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func reader(b []byte) *wire.Reader { return wire.NewReader(bytes.NewReader(b), 0) }

func samples() []List {
	names := []Name{{1, 7, true}, {1000, 4, true}, {4294967294, 5, false}}
	return []List{
		Empty(), OfMode(0o640), {User: 7, Group: 5, Mask: 7, Other: 0, Names: names}, {User: 6, Group: 4, Mask: 0, Other: 0},
		{User: None, Group: 5, Mask: 7, Other: None, Names: names[1:]},
	}
}

// Linux's form, as setfacl -m u:1:rwx,g:2:r has it on a file of mode 640.
func TestLinux(t *testing.T) {
	raw := "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\x01\x00\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x08\x00\x04\x00\x02\x00\x00\x00" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	l, err := Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := List{User: 6, Group: 4, Mask: 7, Other: 0, Names: []Name{{1, 7, true}, {2, 4, false}}}
	if d := cmp.Diff(want, l); d != "" {
		t.Error(d)
	}
	if got := l.Perms(); got != 0o670 {
		t.Errorf("permissions %o", got)
	}
	if got := l.Append(nil); string(got) != raw {
		t.Errorf("%x, want %x", got, raw)
	}
	for _, bad := range []string{"", "\x02\x00\x00", "\x01\x00\x00\x00", raw[:len(raw)-1], raw[:4] + "\x40\x00\x06\x00\xff\xff\xff\xff"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What is condensed with a mode and filled up again is the same.
func TestCondensed(t *testing.T) {
	for _, l := range samples()[1:4] {
		mode := l.Perms()
		var from, to Table
		i := to.Read(reader(from.Append(nil, l.Condensed(mode), nil)), None, nil)
		got := to.At(i)
		if !l.EqualEnough(got, mode) {
			t.Errorf("%+v is not what %+v says", l, got)
		}
		if d := cmp.Diff(l, got.WithMode(mode)); d != "" {
			t.Errorf("%+v: %s", l, d)
		}
		if other := OfMode(mode); l.Mask != None && other.EqualEnough(got, mode) {
			t.Errorf("%+v says what %+v says", other, got)
		}
	}
}

func TestTable(t *testing.T) {
	var from, to Table
	told := map[uint32]string{}
	named := func(n Name, name string) { told[n.ID] = name }
	for round := range 2 {
		for n, l := range samples() {
			b := from.Append(nil, l, func(n Name) string { return map[uint32]string{1: "daemon"}[n.ID] })
			r := reader(b)
			i := to.Read(r, None, named)
			if r.Err() != nil || r.Buffered() != 0 || i != int32(n) || round == 1 && len(b) > 1 {
				t.Fatalf("%d: index %d in %d bytes: %v", n, i, len(b), r.Err())
			}
			want := l
			if len(l.Names) > 0 && l.Mask == None {
				want.Mask = 7
			}
			if d := cmp.Diff(want, to.At(i), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%d: %s", n, d)
			}
		}
	}
	if d := cmp.Diff(map[uint32]string{1: "daemon"}, told); d != "" {
		t.Error(d)
	}
}

func TestHostile(t *testing.T) {
	ints := func(flags byte, n ...int32) []byte {
		b := append(wire.AppendVarInt(nil, 0), flags)
		for _, v := range n {
			b = wire.AppendVarInt(b, v)
		}
		return b
	}
	for name, tt := range map[string]struct {
		input []byte
		want  string
	}{
		"index":          {wire.AppendVarInt(nil, 1), "index of an access control list"},
		"negative index": {wire.AppendVarInt(nil, -1), "index of an access control list"},
		"permissions":    {ints(hasUser, 8), "permissions"},
		"count":          {ints(hasNames, 1<<20), "count"},
		"negative count": {ints(hasNames, -1), "count"},
		"bits":           {ints(hasNames, 1, 5, 32), "permissions"},
		"cut":            {ints(hasNames, 2, 5, 4), "unexpected EOF"},
	} {
		r := reader(tt.input)
		new(Table).Read(r, None, nil)
		if r.Err() == nil || !strings.Contains(r.Err().Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, r.Err(), tt.want)
		}
	}
	table := Table{total: maxTotal - 1}
	r := reader(bytes.Repeat(ints(0), 2))
	table.Read(r, None, nil)
	if table.Read(r, None, nil); r.Err() == nil {
		t.Error("there is no end to what is kept")
	}
	table, r = Table{total: maxTotal - 2}, reader(ints(hasNames, 2, 5, 4, 6, 4))
	if table.Read(r, None, nil); r.Err() == nil {
		t.Error("there is no end to the names that are kept")
	}
}

func FuzzTable(f *testing.F) {
	var b []byte
	var from Table
	for _, l := range samples() {
		b = from.Append(b, l, func(Name) string { return "name" })
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var table Table
		r := reader(b)
		for r.Err() == nil && len(table.lists) < 100 {
			table.Read(r, None, nil)
		}
		for _, l := range table.lists {
			full := l.WithMode(0o750)
			if _, err := Parse(full.Append(nil)); err != nil {
				t.Errorf("%+v: %v", full, err)
			}
		}
	})
}

// rsync's form in an attribute, as rsync 3.5.0 writes it with --fake-super for
// setfacl -m u:1:rw,u:7777:r,g:2:rw on a file of mode 644.
func TestStored(t *testing.T) {
	raw := "\x80\x00\x00\x00\x04\x00\x00\x00\x06\x00\x00\x00\x80\x00\x00\x00" +
		"\x01\x00\x00\x00\x06\x00\x00\x80" + "\x61\x1e\x00\x00\x04\x00\x00\x80" + "\x02\x00\x00\x00\x06\x00\x00\x00"
	l, err := ParseStored([]byte(raw), 0o664)
	if err != nil {
		t.Fatal(err)
	}
	want := List{User: 6, Group: 4, Mask: 6, Other: 4, Names: []Name{{1, 6, true}, {7777, 4, true}, {2, 6, false}}}
	if d := cmp.Diff(want, l); d != "" {
		t.Error(d)
	}
	condensed := l.Condensed(0o664)
	condensed.Mask = 6 // which a table fills in
	if got := condensed.AppendStored(nil); string(got) != raw {
		t.Errorf("%x, want %x", got, raw)
	}
	for _, bad := range []string{"", raw[:8], raw[:20], raw[:len(raw)-1], "\x08" + raw[1:], raw[:4] + "\x00\x01" + raw[6:], raw[:20] + "\x08" + raw[21:], raw[:23] + "\x40" + raw[24:]} {
		if _, err := ParseStored([]byte(bad), 0o644); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzStored(f *testing.F) {
	for _, l := range samples() {
		f.Add(l.AppendStored(nil), uint32(0o640))
	}
	f.Fuzz(func(t *testing.T, b []byte, mode uint32) {
		l, err := ParseStored(b, mode)
		if err != nil {
			return
		}
		again, err := ParseStored(l.AppendStored(nil), mode)
		if d := cmp.Diff(l, again); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if _, err := Parse(l.Append(nil)); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, l := range samples() {
		f.Add(l.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(l.Append(nil))
		if err != nil || len(again.Names) != len(l.Names) {
			t.Errorf("%+v becomes %+v: %v", l, again, err)
		}
	})
}
