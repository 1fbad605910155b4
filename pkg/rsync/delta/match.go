package delta

import (
	"bytes"
	"hash"
	"io"
	"math/bits"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// TokenWriter takes the parts of a file in order.
type TokenWriter interface {
	// Literal takes bytes that the receiver does not have. They are only
	// valid during the call.
	Literal(p []byte) error
	// Match takes the number of a block that the receiver has, and its bytes.
	Match(block int32, data []byte) error
	// End ends the file.
	End() error
}

// Stats counts what a search has found, in bytes and hits.
type Stats struct {
	Literal, Matched int64
	Hits, FalseHits  int64
	Walked           int64 // blocks that were looked at for them
}

// maxChain bounds how many blocks with one weak sum are compared at one place,
// so that a file of equal blocks does not cost quadratic time.
const maxChain = 1024

// minWindow is the least that is read of a file at once, in bytes.
const minWindow = 256 * 1024

// window is how much of a file is held: some small blocks, or a large one and a bit.
func window(block int32) int {
	b := int64(block)
	return int(max(min(4*b, b+minWindow), minWindow))
}

// maxWalk bounds how far a bucket is searched at one place: whoever sends the
// sums can choose them so that all are in one. A full bucket of honest sums is of
// equal blocks.
const maxWalk = 16 * maxChain

// index finds blocks by their weak sum.
type index struct {
	sig   *Signature
	heads []int32  // first block of a bucket, -1: none
	next  []int32  // next block of the bucket
	bits  []uint64 // one bit for each weak sum that occurs, to say no fast
	shift uint     // of the bucket hash
	bloom uint     // of the bit hash
}

const hashMul = 0x9e3779b1 // 2^32 / golden ratio

// Buffers are what a search works in, for one search after another: most files
// are small, and what one takes would cost more than the file. The zero value
// is ready. They are for one goroutine.
type Buffers struct {
	buf         []byte
	heads, next []int32
	bits        []uint64
	full        []byte
}

// mostKept is how much stays for the next file, in bytes of each buffer: a large
// file's are let go.
const mostKept = 1 << 20

// grown gives n elements of what buf has room for, or of a new one, which stays
// unless it is large.
func grown[T any](buf *[]T, n int, size int) []T {
	if n <= cap(*buf) {
		return (*buf)[:n]
	}
	made := make([]T, n)
	if n*size <= mostKept {
		*buf = made
	}
	return made
}

func (b *Buffers) index(sig *Signature) *index {
	size := bits.Len32(uint32(sig.Count))
	buckets := min(max(size, 6), 24)
	bloom := min(max(size+4, 9), 27)
	ix := &index{
		sig:   sig,
		heads: grown(&b.heads, 1<<buckets, 4),
		next:  grown(&b.next, int(sig.Count), 4),
		bits:  grown(&b.bits, 1<<(bloom-6), 8),
		shift: uint(32 - buckets),
		bloom: uint(32 - bloom),
	}
	for i := range ix.heads {
		ix.heads[i] = -1
	}
	clear(ix.bits)
	for i := sig.Count - 1; i >= 0; i-- { // so that a bucket lists them in order
		h := sig.weak[i] * hashMul
		b := h >> ix.bloom
		ix.bits[b>>6] |= 1 << (b & 63)
		ix.next[i] = ix.heads[h>>ix.shift]
		ix.heads[h>>ix.shift] = i
	}
	return ix
}

// scan rolls the window of k bytes from pos until a weak sum occurs in the
// index or pos reaches limit. buf must hold limit+k bytes.
func (ix *index) scan(buf []byte, pos, k, limit int, weak uint32) (int, uint32, bool) {
	s1, s2 := weak&0xffff, weak>>16
	k32 := uint32(k)
	filter, shift := ix.bits, ix.bloom
	mask := uint32(len(filter)*64 - 1)
	tail := buf[k:]
	for {
		b := (s1&0xffff | s2<<16) * hashMul >> shift & mask
		if filter[b>>6]&(1<<(b&63)) != 0 {
			return pos, s1&0xffff | s2<<16, true
		}
		if pos >= limit {
			return pos, s1&0xffff | s2<<16, false
		}
		out := uint32(int32(int8(buf[pos])))
		s1 += uint32(int32(int8(tail[pos]))) - out
		s2 += s1 - k32*out
		pos++
	}
}

// matcher is one search.
type matcher struct {
	*index
	sums  *checksum.Blocks
	whole hash.Hash
	out   TokenWriter
	stats Stats

	src  io.Reader
	eof  bool
	buf  []byte
	lit  int // first byte that has not been sent
	pos  int // window start
	end  int // valid bytes
	want int32
	full []byte
	base int64          // of buf in the file
	kept map[int32]bool // with InPlace: blocks that stand where they stood
}

// Search does what [Buffers.Search] does, once.
func Search(src io.Reader, sig *Signature, sums *checksum.Blocks, whole hash.Hash, out TokenWriter) (Stats, error) {
	return new(Buffers).Search(src, sig, sums, whole, out)
}

// Search reads src, writes it to out as literals and matches of sig's blocks,
// and feeds all of it to whole (match.c:match_sums).
func (b *Buffers) Search(src io.Reader, sig *Signature, sums *checksum.Blocks, whole hash.Hash, out TokenWriter) (Stats, error) {
	m := &matcher{
		index: b.index(sig), sums: sums, whole: whole, out: out, src: src,
		buf: grown(&b.buf, min(window(sig.Block), mostKept), 1), full: b.full,
	}
	err := m.run()
	b.full = m.full
	if err != nil {
		return m.stats, err
	}
	return m.stats, out.End()
}

// refill moves what is still needed to the front and reads more.
func (m *matcher) refill() error {
	if m.lit > 0 {
		copy(m.buf, m.buf[m.lit:m.end])
		m.base += int64(m.lit)
		m.end -= m.lit
		m.pos -= m.lit
		m.lit = 0
	}
	for !m.eof {
		if m.end == len(m.buf) && !m.widen() {
			break
		}
		n, err := m.src.Read(m.buf[m.end:])
		m.end += n
		if err == io.EOF || n == 0 && err == nil {
			m.eof = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

// widen gives a full buffer more room, up to the window. The peer says how large
// that is: it takes no more memory than there is of the file.
func (m *matcher) widen() bool {
	most := window(m.sig.Block)
	if len(m.buf) >= most {
		return false
	}
	wider := make([]byte, min(2*len(m.buf), most))
	copy(wider, m.buf[:m.end])
	m.buf = wider
	return true
}

func (m *matcher) run() error {
	block := int(m.sig.Block)
	last := int(m.sig.Len(m.sig.Count - 1))
	for {
		if m.end-m.pos <= block && !m.eof {
			if err := m.flush(); err != nil {
				return err
			}
			if err := m.refill(); err != nil {
				return err
			}
		}
		k := min(block, m.end-m.pos)
		if k < last || k == 0 {
			m.pos = m.end
			return m.flush()
		}
		if err := m.step(k); err != nil {
			return err
		}
	}
}

// step advances the window to the next match, or to where more data or a
// shorter window is needed.
func (m *matcher) step(k int) error {
	weak := checksum.Weak(m.buf[m.pos : m.pos+k])
	for {
		limit := min(m.end-k, m.lit+proto.LiteralChunk)
		if limit < m.pos {
			limit = m.pos
		}
		var hit bool
		m.pos, weak, hit = m.scan(m.buf[:m.end], m.pos, k, limit, weak)
		if hit {
			if i := m.find(weak, k); i >= 0 {
				return m.match(i, k)
			}
		}
		if m.pos >= m.end-k { // the window touches the end of the buffer
			m.shorten(k)
			return m.flushFull()
		}
		if m.pos-m.lit >= proto.LiteralChunk {
			if err := m.flush(); err != nil {
				return err
			}
		}
		out := uint32(int32(int8(m.buf[m.pos])))
		s1, s2 := weak&0xffff, weak>>16
		s1 += uint32(int32(int8(m.buf[m.pos+k]))) - out
		s2 += s1 - uint32(k)*out
		weak = s1&0xffff | s2<<16
		m.pos++
	}
}

// shorten moves the window on when it touches the end of the file with its k
// bytes: only a shorter last block can still match there.
func (m *matcher) shorten(k int) {
	if !m.eof {
		return
	}
	if last := int(m.sig.Len(m.sig.Count - 1)); last < k {
		m.pos = m.end - last
	} else {
		m.pos = m.end
	}
}

// find returns the block that the window equals, -1 if none does. The block
// after the last match is tried first, so that runs stay runs.
func (m *matcher) find(weak uint32, k int) int32 {
	same := func(i int32) bool { return m.sig.weak[i] == weak && int(m.sig.Len(i)) == k }
	summed := false
	equal := func(i int32) bool {
		if !summed {
			m.full = m.sums.Sum(m.full[:0], m.buf[m.pos:m.pos+k])
			summed = true
		}
		n := int(m.sig.SumLen)
		return bytes.Equal(m.sig.strong[int(i)*n:int(i+1)*n], m.full[:min(n, len(m.full))])
	}
	if m.sig.InPlace {
		if i := m.inPlace(); i >= 0 && same(i) && equal(i) {
			m.keep(i)
			return i
		}
	}
	if m.want < m.sig.Count && m.usable(m.want) && same(m.want) && equal(m.want) {
		return m.want
	}
	tried, walked := 0, 0
	for i := m.heads[weak*hashMul>>m.shift]; i >= 0 && tried < maxChain && walked < maxWalk; i = m.next[i] {
		walked++
		m.stats.Walked++
		if !same(i) || !m.usable(i) {
			continue
		}
		if equal(i) {
			return i
		}
		m.stats.FalseHits++
		tried++
	}
	return -1
}

// inPlace returns the block that stood where the window stands, -1 for none.
func (m *matcher) inPlace() int32 {
	at := m.base + int64(m.pos)
	i := at / int64(m.sig.Block)
	if at%int64(m.sig.Block) != 0 || i >= int64(m.sig.Count) {
		return -1
	}
	return int32(i)
}

// keep notes that a block stays where it is, so that it can be used again.
func (m *matcher) keep(i int32) {
	if m.kept == nil {
		m.kept = map[int32]bool{}
	}
	m.kept[i] = true
}

// usable reports whether a block is still there when the window is written.
func (m *matcher) usable(i int32) bool {
	return !m.sig.InPlace || m.sig.Offset(i) >= m.base+int64(m.pos) || m.kept[i]
}

// match sends the literals before the window and the window as block i.
func (m *matcher) match(i int32, k int) error {
	if err := m.flush(); err != nil {
		return err
	}
	data := m.buf[m.pos : m.pos+k]
	m.whole.Write(data)
	m.stats.Hits++
	m.stats.Matched += int64(k)
	m.pos += k
	m.lit = m.pos
	m.want = i + 1
	return m.out.Match(i, data)
}

// flushFull flushes only whole chunks, so that literals do not shrink to
// crumbs at each refill.
func (m *matcher) flushFull() error {
	if m.pos-m.lit < proto.LiteralChunk {
		return nil
	}
	return m.flush()
}

// flush sends what lies before the window as literals.
func (m *matcher) flush() error {
	for m.lit < m.pos {
		p := m.buf[m.lit:m.pos]
		p = p[:min(len(p), proto.LiteralChunk)]
		m.whole.Write(p)
		m.stats.Literal += int64(len(p))
		m.lit += len(p)
		if err := m.out.Literal(p); err != nil {
			return err
		}
	}
	return nil
}
