package xattr

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/wire"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func reader(b []byte) *wire.Reader { return wire.NewReader(bytes.NewReader(b), 0) }

func all(name string) (string, bool) { return name, true }

var long = []byte(strings.Repeat("long ", 100))

func list(attrs ...Attr) List {
	l := List(attrs)
	l.Sort()
	return l
}

var plain = cmp.Options{cmpopts.IgnoreUnexported(Attr{})}

// Lists travel once; the same one later is an index.
func TestLists(t *testing.T) {
	var from, to Table
	lists := []List{
		list(New("user.b", []byte("B")), New("user.a", nil)), nil, list(New("user.long", long), New("user.a", []byte(strings.Repeat("x", MaxFull)))),
	}
	var b []byte
	var sent []int32
	for _, l := range append(lists, lists...) {
		var i int32
		b, i = from.Append(b, l, nil)
		sent = append(sent, i)
	}
	r := reader(b)
	for n, i := range sent {
		got := to.Read(r, all)
		if got != i || r.Err() != nil {
			t.Fatalf("list %d has index %d, want %d: %v", n, got, i, r.Err())
		}
		if d := cmp.Diff(lists[n%3], to.At(got), plain, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("list %d: %s", n, d)
		}
	}
	if r.Buffered() != 0 || sent[5] != sent[2] {
		t.Errorf("%d bytes are left, indexes %v", r.Buffered(), sent)
	}
}

// Names can be others on each side: lists that look alike on the way are still
// two where they come from, whose values are read by other names.
func TestNames(t *testing.T) {
	var from, to Table
	called := func(name string) string { return strings.TrimPrefix(name, "user.rsync.") }
	b, first := from.Append(nil, list(New("user.rsync.trusted.a", long), New("user.b", nil)), called)
	b, second := from.Append(b, list(New("trusted.a", long), New("user.b", nil)), called)
	if first == second {
		t.Fatal("two lists are one")
	}
	r := reader(b)
	here := func(name string) (string, bool) {
		if rest, ok := strings.CutPrefix(name, "trusted."); ok {
			return "user.z." + rest, true
		}
		return name, true
	}
	i := to.Read(r, here)
	if to.Read(r, here) != second || r.Err() != nil {
		t.Fatal(r.Err())
	}
	want := list(New("user.b", nil), New("user.z.a", long))
	if d := cmp.Diff(want, to.At(i), plain); d != "" {
		t.Error(d)
	}
	from.ReadRequest(reader(to.AppendRequest(nil, i, nil)), first)
	asked := ""
	data := from.AppendData(nil, first, func(name string) []byte { asked = name; return long })
	if to.ReadData(reader(data), i); asked != "user.rsync.trusted.a" || to.At(i)[1].Value != string(long) {
		t.Errorf("%q is read, %+v comes", asked, to.At(i))
	}
}

// The exchange of a long value, of which the receiving side has another.
func TestExchange(t *testing.T) {
	var from, to Table
	l := list(New("user.a", long), New("user.b", []byte("short")), New("user.c", append(long, 'c')), New("user.d", append(long, 'd')))
	b, i := from.Append(nil, l, nil)
	if got := to.Read(reader(b), func(name string) (string, bool) { return name, name != "user.b" }); got != i {
		t.Fatalf("index %d, want %d", got, i)
	}
	have := list(New("user.a", []byte("other")), New("user.c", append(long, 'c')))
	request := to.AppendRequest(nil, i, have)
	if again := to.AppendRequest(nil, i, have); !bytes.Equal(again, []byte{0}) {
		t.Errorf("values are asked for twice: %x", again)
	}
	r := reader(request)
	from.ReadRequest(r, i)
	values := map[string][]byte{"user.a": long, "user.d": []byte("changed")}
	data := from.AppendData(nil, i, func(name string) []byte { return values[name] })
	r = reader(data)
	to.ReadData(r, i)
	if r.Err() != nil || r.Buffered() != 0 {
		t.Fatal(r.Err())
	}
	to.Keep(i, "user.c", append(long, 'c'))
	var got []string
	for _, a := range to.At(i) {
		got = append(got, fmt.Sprintf("%s %d %d", a.Name, len(a.Value), a.State))
	}
	if d := cmp.Diff([]string{"user.a 500 0", "user.c 501 0", "user.d 7 0"}, got); d != "" {
		t.Error(d)
	}
	r = reader(request)
	if from.ReadRequest(r, i); r.Err() == nil {
		t.Error("a value is sent twice")
	}
	r = reader(data)
	if to.ReadData(r, i); r.Err() == nil {
		t.Error("a value is taken twice")
	}
}

func TestHostile(t *testing.T) {
	ints := func(n ...int32) []byte {
		var b []byte
		for _, v := range n {
			b = wire.AppendVarInt(b, v)
		}
		return b
	}
	for name, tt := range map[string]struct {
		input []byte
		want  string
	}{
		"index":          {ints(2), "index of extended attributes"},
		"negative index": {ints(-1), "index of extended attributes"},
		"count":          {ints(0, 1<<30), "count of extended attributes"},
		"negative count": {ints(0, -1), "count of extended attributes"},
		"long name":      {ints(0, 1, 1<<20, 0), "name of an extended attribute"},
		"no name":        {ints(0, 1, 0, 0), "has no end"},
		"no end":         {append(ints(0, 1, 2, 0), "ab"...), "has no end"},
		"end within":     {append(ints(0, 1, 3, 0), "a\x00\x00"...), "has no end"},
		"size":           {ints(0, 1, 2, 1<<30), "size of an extended attribute"},
		"negative size":  {ints(0, 1, 2, -1), "size of an extended attribute"},
		"cut":            {append(ints(0, 1, 2, 5), "a\x00b"...), "unexpected EOF"},
	} {
		var table Table
		r := reader(tt.input)
		table.Read(r, all)
		if r.Err() == nil || !strings.Contains(r.Err().Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, r.Err(), tt.want)
		}
	}
	// A peer that sends list after list is stopped.
	var table Table
	many := append(ints(0, 1, 1000, 32), strings.Repeat("n", 999)+"\x00"+strings.Repeat("v", 32)...)
	table.total = maxTotal - 2000
	r := reader(bytes.Repeat(many, 3))
	for range 3 {
		table.Read(r, all)
	}
	if r.Err() == nil {
		t.Error("there is no end to what is kept")
	}
	// Numbers that nobody has, and values of any length.
	for _, input := range [][]byte{ints(5), ints(-1), ints(1, 1<<30), ints(1, -1), ints(2147483647, 0)} {
		var to Table
		b, i := new(Table).Append(nil, list(New("user.a", long)), nil)
		to.Read(reader(b), all)
		to.AppendRequest(nil, i, nil)
		r := reader(input)
		if to.ReadData(r, i); r.Err() == nil {
			t.Errorf("%x is taken", input)
		}
	}
}

func FuzzTable(f *testing.F) {
	b, _ := new(Table).Append(nil, list(New("user.a", long), New("user.b", []byte("x"))), nil)
	f.Add(b, []byte{1, 5, 'h', 'e', 'l', 'l', 'o', 0})
	f.Add([]byte{0, 0, 1}, []byte{0})
	f.Fuzz(func(t *testing.T, lists, data []byte) {
		var table Table
		r := reader(lists)
		for r.Err() == nil && len(table.lists) < 100 {
			table.Read(r, all)
		}
		for i := range table.lists {
			table.AppendRequest(nil, int32(i), nil)
			table.ReadData(reader(data), int32(i))
			table.ReadRequest(reader(data), int32(i))
		}
	})
}
