package interop

import (
	"fmt"
	"testing"
)

// A folder with more files than a sender looks ahead must not keep it from sending
// the folders below: the other side is not done with one part before it has the next.
func TestLookAheadPastLargeFolder(t *testing.T) {
	s := newSandbox(t)
	for i := range 4500 {
		s.write(fmt.Sprintf("%s/f%04d", s.src, i), nil, 1_000_000_000)
	}
	for i := range 3 {
		s.write(fmt.Sprintf("%s/below%d/file", s.src, i), nil, 1_000_000_000)
	}
	s.ours(s.src)
	if out, code := s.rsync("-rt", s.url("/"), s.dst+"/"); code != 0 {
		t.Fatalf("rsync: exit code %d\n%s", code, out)
	}
	sameTrees(t, s.src, s.dst)
}
