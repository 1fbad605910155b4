// Package fill brings files from upstream into a store, each once however many
// ask for it.
//
// A [Group] starts a [Fill] for a key or hands out the one under way. The fill
// belongs to the group: it goes on when those who asked have left. Readers read
// along from any offset, as soon as the bytes are there. A file whose sums are
// known is shown to readers but for its last bytes until they agree, so that
// nobody ever holds a wrong file that looks whole.
//
// An interrupted fetch goes on where it stopped, on the same mirror or after a
// restart, if ETag or Last-Modified and the length still agree, and never for a
// file that may change. What ends without a proof of being whole (its length, the
// chunked end, a sum) is passed on and not kept.
//
// djherbis/stream was tried for the readers: it has no part that survives a
// restart, no offset beyond what is written, and no bytes held back.
package fill
