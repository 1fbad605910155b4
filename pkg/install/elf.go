package install

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// CPU is the kind of processor that a program is for: e_machine of its header.
type CPU uint16

// The processors that boards and PCs have. // elf(5)
const (
	CPU386   CPU = 3
	CPUARM   CPU = 40
	CPUX8664 CPU = 62
	CPUARM64 CPU = 183
)

func (c CPU) String() string {
	switch c {
	case CPU386:
		return "32-bit x86"
	case CPUARM:
		return "ARM"
	case CPUX8664:
		return "64-bit x86"
	case CPUARM64:
		return "64-bit ARM"
	}
	return fmt.Sprintf("processor %d", uint16(c))
}

// Binary is what the header of a program tells.
type Binary struct {
	CPU    CPU
	OldABI bool // ARM: for the calls of kernels before EABI, as on the original player
	Static bool // needs no loader and no libraries
}

// What is read of a program's headers. // elf(5); ELF for the ARM Architecture, 4.1.1
const (
	identLen    = 16
	class64     = 2
	littleEnd   = 1
	progInterp  = 3          // PT_INTERP
	flagsEABI   = 0xff000000 // of e_flags: the version of the EABI; 0 is the old ABI
	mostHeaders = 256        // program headers of a file that is one
)

// ReadBinary reads the headers of a program. It uses no library for that: what
// reads the whole format weighs more than it helps here.
func ReadBinary(r io.ReaderAt) (Binary, error) {
	no := func(why string) (Binary, error) { return Binary{}, errors.New("not a program: " + why) }
	var head [64]byte
	n, err := r.ReadAt(head[:], 0)
	if n < 52 || string(head[:4]) != "\x7fELF" {
		return no("it does not begin as one")
	}
	if n < len(head) && !errors.Is(err, io.EOF) {
		return Binary{}, err
	}
	var order binary.ByteOrder = binary.BigEndian
	if head[5] == littleEnd {
		order = binary.LittleEndian
	}
	b := Binary{CPU: CPU(order.Uint16(head[18:])), Static: true}
	flags, start, size, count := order.Uint32(head[36:]), int64(order.Uint32(head[28:])), order.Uint16(head[42:]), order.Uint16(head[44:])
	if head[4] == class64 {
		start, size, count = int64(order.Uint64(head[32:])), order.Uint16(head[54:]), order.Uint16(head[56:])
	}
	b.OldABI = b.CPU == CPUARM && flags&flagsEABI == 0
	if count > mostHeaders || size < 4 && count > 0 || start < identLen && count > 0 {
		return no("its header makes no sense")
	}
	for i := range int64(count) {
		var kind [4]byte
		if _, err := r.ReadAt(kind[:], start+i*int64(size)); err != nil {
			return no("it is cut short")
		}
		if order.Uint32(kind[:]) == progInterp {
			b.Static = false
		}
	}
	return b, nil
}

func (b Binary) String() string {
	if b.OldABI {
		return b.CPU.String() + " (old ABI)"
	}
	return b.CPU.String()
}

// runsOn reports whether b can run where programs like other do.
func (b Binary) runsOn(other Binary) bool {
	return b.CPU == other.CPU || b.CPU == CPU386 && other.CPU == CPUX8664 || b.CPU == CPUARM && other.CPU == CPUARM64
}
