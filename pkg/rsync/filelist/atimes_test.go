package filelist

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Access times travel with everything but folders, in every version, and once
// where they are the same as the last one.
func TestAccessTimes(t *testing.T) {
	f := Fields{UID: true, Links: true, Atimes: true}
	read := func(e Entry, sec int64) Entry { e.SetAtime(sec); return e }
	in := []Entry{
		read(entry("a", ModeFile|0o644), 1_000_000_000), read(entry("b", ModeFile|0o644), 1_000_000_000),
		entry("d", ModeDir|0o755), read(entry("d/c", ModeFile|0o600), 1_000_000_000), read(entry("d/l", ModeLink|0o777, target("c")), -7),
		read(entry("d/m", ModeFile|0o600), 5_000_000_000),
	}
	want := []int64{1_000_000_000, 1_000_000_000, 0, 1_000_000_000, -7, 5_000_000_000}
	for _, d := range dialects(t) {
		b := encode(d.caps, f, in, 0, nil, nil)
		l, r, err := decode(d.caps, f, b)
		if err != nil || r.Buffered() != 0 {
			t.Fatalf("%s: %v, %d bytes left", d.name, err, r.Buffered())
		}
		var got []int64
		for _, e := range flat(l) {
			got = append(got, e.Atime())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", d.name, diff)
		}
		same := in
		same[1].SetAtime(1)
		if more := encode(d.caps, f, same, 0, nil, nil); d.caps.WideFlags && len(more) <= len(b) {
			t.Errorf("%s: a time that is the same takes room", d.name)
		}
		same[1].SetAtime(1_000_000_000)
	}
}
