package filelist

import (
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// sendsRdev reports whether a device number travels with this entry; fifos
// and sockets have one by accident, until proto.Caps.SpecialsNoRdev.
func sendsRdev(caps proto.Caps, fields Fields, f *Entry) bool {
	return fields.Devices && f.IsDevice() || fields.Specials && f.IsSpecial() && !caps.SpecialsNoRdev
}

func (e *Encoder) deviceFlags(f *Entry) proto.EntryFlags {
	if !sendsRdev(e.caps, e.fields, f) {
		e.rdev = 0 // as the old versions do (flist.c:send_file_entry)
		return 0
	}
	major, minor := f.Device()
	var x proto.EntryFlags
	switch {
	case !e.caps.RdevSplit:
		if f.IsSpecial() || rdevOld(major, minor) == e.rdev {
			x |= proto.FlagSameRdevOld
		} else {
			e.rdev = rdevOld(major, minor)
		}
		return x
	case f.IsSpecial() || major == e.rdevMajor:
		x |= proto.FlagSameRdevMajor
	default:
		e.rdevMajor = major
	}
	if !e.caps.VarInts && (f.IsSpecial() || minor <= 0xff) {
		x |= proto.FlagRdevMinor8
	}
	return x
}

// rdevOld is a device number as versions before 28 know it.
func rdevOld(major, minor uint32) uint32 {
	return minor&0xff | (major&0xfff)<<8 | (minor&^0xff)<<12
}

func (e *Encoder) appendDevice(b []byte, f *Entry, x proto.EntryFlags) []byte {
	major, minor := f.Device()
	if f.IsSpecial() {
		major, minor = e.rdevMajor, 0
	}
	if !e.caps.RdevSplit {
		if x&proto.FlagSameRdevOld == 0 {
			b = wire.AppendInt32(b, int32(rdevOld(major, minor)))
		}
		return b
	}
	if x&proto.FlagSameRdevMajor == 0 {
		b = e.appendVarInt30(b, int32(major))
	}
	switch {
	case e.caps.VarInts:
		return wire.AppendVarInt(b, int32(minor))
	case x&proto.FlagRdevMinor8 != 0:
		return append(b, byte(minor))
	default:
		return wire.AppendInt32(b, int32(minor))
	}
}

func (d *Decoder) readDevice(r *wire.Reader, flags proto.EntryFlags, e *Entry) {
	if !d.caps.RdevSplit {
		if flags&proto.FlagSameRdevOld == 0 {
			d.rdev = uint32(r.Int32())
		}
		if e.IsDevice() {
			e.SetDevice(d.rdev>>8&0xfff, d.rdev&0xff|d.rdev>>12&^0xff)
		}
		return
	}
	if flags&proto.FlagSameRdevMajor == 0 {
		d.rdevMajor = uint32(d.readVarInt30(r))
	}
	var minor uint32
	switch {
	case d.caps.VarInts:
		minor = uint32(r.VarInt())
	case flags&proto.FlagRdevMinor8 != 0:
		minor = uint32(r.Byte())
	default:
		minor = uint32(r.Int32())
	}
	if e.IsDevice() {
		e.SetDevice(d.rdevMajor, minor)
	}
}
