package delta

import (
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// The window holds more than a block of any size, also where an int has 32 bits, and
// is not much larger than a large one.
func TestWindow(t *testing.T) {
	for _, block := range []int32{1, 700, 1 << 16, proto.MaxBlock, 1 << 20, proto.MaxBlockOld} {
		got := int64(window(block))
		if got <= int64(block) || got < minWindow || got > max(int64(block), minWindow)+minWindow {
			t.Errorf("blocks of %d bytes: a window of %d", block, got)
		}
	}
}
