// Package wire reads and writes the rsync protocol's smallest things: integers
// of fixed and variable length, strings, file indexes, and the frames that
// carry data and messages over one connection.
//
// Encoding is a family of pure functions, AppendX(b, x) []byte. Decoding pulls
// from a [Reader], which keeps the first error and then answers zero values, so
// that a decoder is read from top to bottom and asked once at its end for
// [Reader.Err]. Every length that a peer sends passes a limit before anything
// is allocated for it.
//
// A [Writer] has one buffer and one owner: data is appended to it as it is
// made, messages go between as frames of their own and may come from anybody.
package wire

import "github.com/empegsync/empegsync/pkg/rsync/proto"

// Buffer sizes for a session's streams, in bytes. The writer's holds whole
// chunks of file data with their lengths and a frame's header, four of them, or
// two on a 32-bit board; a little less, and every chunk would be a write of its
// own.
const (
	wide        = ^uint(0) >> 63 // 1 on a 64-bit machine
	ReadBuffer  = 64 * 1024 << (2 * wide)
	WriteBuffer = (2<<wide)*(proto.LiteralChunk+4) + 64
)
