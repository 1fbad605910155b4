package compress

// windowSize is how far deflate looks back, in bytes.
const windowSize = 32 * 1024

// maxSeen is the most of a block that goes into zlib's history in one piece,
// in bytes (token.c:see_deflate_token).
const maxSeen = 0xffff

// history keeps the last bytes of what it is given, at least windowSize of
// them if there are so many.
type history struct {
	buf []byte
}

func (h *history) add(p []byte) {
	if h.buf == nil {
		h.buf = make([]byte, 0, 2*windowSize)
	}
	if len(p) >= windowSize {
		h.buf = append(h.buf[:0], p[len(p)-windowSize:]...)
		return
	}
	if len(h.buf)+len(p) > cap(h.buf) {
		h.buf = h.buf[:copy(h.buf, h.last())]
	}
	h.buf = append(h.buf, p...)
}

// see adds a matched block. With repeat, a block of more than maxSeen bytes
// enters as old versions do it: the second piece begins where the first did.
func (h *history) see(p []byte, repeat bool) {
	if !repeat || len(p) <= maxSeen {
		h.add(p)
		return
	}
	for left := len(p); left > 0; left -= maxSeen {
		h.add(p[:min(left, maxSeen)])
	}
}

// last returns up to windowSize bytes, valid until the next change.
func (h *history) last() []byte { return h.buf[max(0, len(h.buf)-windowSize):] }

// full reports whether nothing older than what is kept matters.
func (h *history) full() bool { return len(h.buf) >= windowSize }

func (h *history) clear() { h.buf = h.buf[:0] }
