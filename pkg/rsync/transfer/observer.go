package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Observer is told what happens. Its methods are called from the transfer's
// goroutines, one at a time for each method but not across methods, and must
// not block for long.
type Observer interface {
	// Listed gives the count of list entries so far, and in the end done.
	Listed(entries int, done bool)
	// Item tells of a file that is new or changes, when its turn comes on the
	// wire; flags are those of an itemized line.
	Item(e *filelist.Entry, flags proto.Item)
	// Data tells that of the current file this much is there (bytes).
	Data(e *filelist.Entry, done int64)
	// Deleted tells of a file that was removed (or would be).
	Deleted(path string, mode uint32)
	// Message is text for the user, without a final newline.
	Message(tag proto.Tag, text string)
}

// Positioner is an [Observer] that also wants to know how far a run has come:
// Position gives the index of the entry whose turn it is, of total.
type Positioner interface {
	Position(index, total int)
}

// Totaler is an [Observer] that also wants to know how many bytes the files of
// the list have, as far as the list is known.
type Totaler interface {
	Total(bytes int64)
}

// SourcesObserver is an [Observer] that is told what the From of a sending
// side's entries counts, once and before all else. With names from a file these
// are not the sources that [Send] was given.
type SourcesObserver interface{ Sources(sources []Source) }

// LinkObserver is an [Observer] that is told of hard links by Linked instead
// of Item: e becomes another name of the file that is called to.
type LinkObserver interface {
	Linked(e *filelist.Entry, flags proto.Item, to string)
}

// Passage is what it took to bring one file across.
type Passage struct {
	// Read and Written are bytes of data on the wire, as this side counts them.
	// The receiving side's requests do not count, for they run ahead
	// (log.c:remember_initial_stats).
	Read, Written int64
	Sum           []byte // the strong sum of all of it, unseeded or not
}

// FileObserver is an [Observer] that is told when all of a file's data has
// been sent, or has come and is sound. The Sum is reused.
type FileObserver interface {
	Passed(e *filelist.Entry, flags proto.Item, p Passage)
}

// begin starts the count of a file's bytes.
func (c *common) begin() {
	c.moved.Read = c.R.Payload()
	if c.sending {
		c.moved.Written = c.W.Payload()
	}
}

// passage returns what tells a [FileObserver] of a file.
func (c *common) passage(e *filelist.Entry, flags proto.Item) func(sum []byte) {
	o, ok := c.obs.(FileObserver)
	if !ok {
		return func([]byte) {}
	}
	return func(sum []byte) {
		p := Passage{Read: c.R.Payload() - c.moved.Read, Sum: sum}
		if c.sending {
			p.Written = c.W.Payload() - c.moved.Written
		}
		o.Passed(e, flags, p)
	}
}

// noteItem tells the observer of an item.
func (c *common) noteItem(e *filelist.Entry, it item) {
	if l, ok := c.obs.(LinkObserver); ok && it.flags&(proto.ItemXname|proto.ItemTransfer) == proto.ItemXname {
		l.Linked(e, it.flags, it.xname)
		return
	}
	c.obs.Item(e, it.flags)
}
