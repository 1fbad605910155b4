// Package checksum computes the sums of the rsync protocol: the rolling weak
// sum that finds moved blocks, the strong sums that confirm them, the sum over
// a whole file, and the keyed response with which a daemon's client proves
// that it knows a password.
//
// The package is pure: it does no I/O, keeps no state between calls and knows
// no protocol numbers. Which [Algorithm] an old protocol implies, and whether a
// peer hashes the seed before the data, is the business of package proto.
//
// One algorithm gives three different sums, because rsync seeds them
// differently:
//
//	a.NewFile(seed)            the sum that ends a transferred file (checksum.c:sum_init)
//	a.NewPlain()               the sum in a file list made with --checksum (checksum.c:file_checksum)
//	NewBlocks(a, seed, first)  the sum of one block (checksum.c:get_checksum2)
//
// A sender typically slides a [Roller] over the file, looks its sum up, and
// asks [Blocks] only about candidates:
//
//	var r checksum.Roller
//	r.Init(data[:n])
//	for i := n; i < len(data); i++ {
//		r.Roll(data[i-n], data[i])
//		if candidate(r.Sum()) { strong = blocks.Sum(strong[:0], data[i-n+1:i+1]) }
//	}
//
// MD4, MD5 and SHA-1 are here because peers speak them, and none of these sums
// protects against somebody who forges data on purpose.
package checksum
