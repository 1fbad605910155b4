// Package compress reads and writes the tokens of a file transfer in rsync's
// compressed forms (token.c), the ones that -z brings: zlib, zlibx, lz4 and
// zstd. It also says which of them a session uses ([Negotiate], [ParseChoice]),
// what --compress-level means for each ([Algorithm.AtLevel]) and which files
// are not worth the effort ([SkipRules]).
//
// On the wire a file is a row of things that each begin with a flag byte:
//
//	0x40 + high 6 bits, low 8 bits   a packet of compressed data, 0 to 16383 bytes
//	0x80 + d, 0xc0 + d, 16 bits      a block, or a run of them, d above the last one
//	0x20, 32 bits; 0x21, 32 + 16     a block, or a run of them, by number
//	0x00                             the end of the file
//
// All literal data before a block or the end is complete once that is read.
// What the packets hold is up to the algorithm:
//
//   - zlibx: one raw deflate stream a file, brought to a byte boundary by a sync
//     flush whose last four bytes (00 00 ff ff) are left out;
//   - zlib: the same, but matched blocks enter the history of both sides, so
//     that later literals may refer to them;
//   - zstd: one frame for the whole session, flushed before blocks and ends;
//   - lz4: each packet is a block of its own.
//
// A [Writer] and a [Reader] serve one direction of one session, file after file,
// and keep their buffers and tables between files. They are made from a
// [Config]. This package does not read files, and it does not know the
// uncompressed form, which belongs to package delta.
//
// Everything that is read is bounded: block numbers by the count that the
// caller gives, the output of one call by the algorithm's block (128 KiB at
// most), and the memory of zstd by [Config.MaxWindow].
package compress
