package transfer

import (
	"fmt"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
	"github.com/empegsync/empegsync/pkg/rsync/xattr"
)

// item is a file index with what may follow it (rsync.c:read_ndx_and_attrs).
type item struct {
	index int32
	flags proto.Item
	basis byte   // with proto.ItemBasisType
	xname string // with proto.ItemXname

	part *part // that has the index; does not travel

	entry *filelist.Entry // of the index; does not travel
	have  xattr.List      // the generating side's own attributes of it
}

// at is the item's place in its part.
func (it item) at() int32 { return it.index - it.part.Start }

// position is the item's place in the whole list.
func (it item) position() int { return it.part.before + int(it.at()) }

// appendItem appends an index and, where the version has them, its flags.
func (c *common) appendItem(b []byte, it item) []byte {
	b = c.out.Append(b, c.sent(it.index))
	if !c.Caps.ItemFlags || it.index < 0 {
		return b
	}
	b = wire.AppendUint16(b, uint16(it.flags&proto.ItemWire))
	if it.flags&proto.ItemBasisType != 0 {
		b = append(b, it.basis)
	}
	if it.flags&proto.ItemXname != 0 {
		b = wire.AppendVString(b, it.xname)
	}
	return c.appendXattrs(b, it)
}

// readItem reads an index and its flags, passing over what says nothing to
// this side. The entry is nil for "done".
func (c *common) readItem() (item, *filelist.Entry, error) {
	for {
		it := item{index: c.in.Read(c.R)}
		switch {
		case c.R.Err() != nil:
			return item{}, nil, fmt.Errorf("read file index: %w", c.R.Err())
		case it.index == proto.IndexDone:
			return it, nil, nil
		case it.index == proto.IndexDelStats && c.Caps.DeleteStats:
			if err := c.readDeleteStats(); err != nil {
				return item{}, nil, err
			}
			continue
		case it.index < 0 && c.onPart != nil:
			if err := c.onPart(it.index); err != nil {
				return item{}, nil, err
			}
			continue
		}
		var e *filelist.Entry
		it.index = c.place(it.index)
		it.part, e = c.parts.find(it.index)
		keepAlive := c.Caps.KeepAlive && !c.Caps.IncRecurse && int(it.index) == c.parts.entries()
		if e == nil && !keepAlive {
			return item{}, nil, proto.Failf(proto.ExitProtocol, "file index %d is outside the list of %d files", it.index, c.parts.entries())
		}
		if err := c.readFlags(&it); err != nil {
			return item{}, nil, err
		}
		if keepAlive && e == nil { // io.c:maybe_send_keepalive, version 29
			continue
		}
		it.entry = e
		return it, e, c.readXattrPart(it, e)
	}
}

func (c *common) readFlags(it *item) error {
	if !c.Caps.ItemFlags {
		it.flags = proto.ItemTransfer | proto.ItemMissing
		return nil
	}
	it.flags = proto.Item(c.R.Uint16())
	it.basis = proto.BasisName
	if it.flags&proto.ItemBasisType != 0 {
		it.basis = c.R.Byte()
	}
	if it.flags&proto.ItemXname != 0 {
		it.xname = c.R.VString(proto.MaxPath-1, "name of a basis file")
	}
	if c.R.Err() != nil {
		return fmt.Errorf("read item flags: %w", c.R.Err())
	}
	return nil
}

// readDeleteStats reads counts of deletions by type (main.c:read_del_stats). A
// server that sends hands them back: the client's process that counts is not the
// one that tells the user (rsync.c:read_ndx_and_attrs).
func (c *common) readDeleteStats() error {
	for i := range c.peerDeleted {
		c.peerDeleted[i] = int(max(c.R.VarInt(), 0))
	}
	if !c.sending || !c.Server {
		return nil
	}
	return c.writeDeleteStats(c.peerDeleted)
}

// writeDeleteStats tells the other side how many files of each type were
// deleted (main.c:write_del_stats).
func (c *common) writeDeleteStats(kinds [5]int) error {
	b := c.out.Append(nil, proto.IndexDelStats)
	for _, n := range kinds {
		b = wire.AppendVarInt(b, int32(n))
	}
	_, err := c.W.Write(b)
	return err
}

// writeDone writes a bare index and flushes.
func (c *common) writeDone() error {
	if _, err := c.W.Write(c.out.Append(nil, proto.IndexDone)); err != nil {
		return err
	}
	return c.W.Flush()
}
