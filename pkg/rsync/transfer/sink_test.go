package transfer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// FuzzSink: whatever comes in pieces, with zeros or without, into a file that is
// empty or not: in the end it holds what came, and no more.
func FuzzSink(f *testing.F) {
	zeros := make([]byte, 3*sparseUnit)
	f.Add([]byte("data"), []byte(""), uint16(3), true, false)
	f.Add(append([]byte("data"), zeros...), []byte("something that was there"), uint16(700), true, true)
	f.Add(append(zeros, 'x'), bytes.Repeat([]byte("old"), 3000), uint16(sparseUnit), true, true)
	f.Add(bytes.Repeat([]byte{0, 1}, 600), bytes.Repeat([]byte("old"), 100), uint16(1), false, true)
	f.Add(bytes.Repeat(append(zeros[:sparseUnit+1:sparseUnit+1], 'x'), 3), append([]byte("y"), zeros...), uint16(500), true, true)
	dir := f.TempDir()
	root, err := rootfs.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { root.Close() })
	f.Fuzz(func(t *testing.T, data, old []byte, step uint16, sparse, skips bool) {
		if step == 0 || len(data) > 1<<16 || len(old) > 1<<16 {
			return
		}
		name := filepath.Join(dir, "file")
		if err := os.WriteFile(name, old, 0o600); err != nil {
			t.Fatal(err)
		}
		out, _, err := root.OpenWrite("file", 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		s := &sink{f: out, sparse: sparse, filled: int64(len(old)), cut: len(old) > 0}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), int(step))
			put, at := s.write, len(data)-len(rest)
			if skips && at+n <= len(old) && bytes.Equal(old[at:at+n], rest[:n]) {
				put = s.skip
			}
			if err := put(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes became %d (%v): sparse %v, over %d bytes in steps of %d", len(data), len(got), err, sparse, len(old), step)
		}
	})
}
