package install

import (
	"debug/elf"
	"fmt"
	"io"
)

// Binary is what the header of a program tells.
type Binary struct {
	Machine elf.Machine
	Bits    elf.Class
	OldABI  bool // ARM: for the calls of kernels before EABI, as on the original player
	Static  bool // needs no loader and no libraries
}

// flagsEABI are the bits of an ARM program's flags that hold the version of the
// EABI it follows; 0 is the old ABI. // ELF for the ARM Architecture, 4.1.1
const flagsEABI = 0xff000000

// ReadBinary reads the header of a program.
func ReadBinary(r io.ReaderAt) (Binary, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return Binary{}, fmt.Errorf("not a program: %w", err)
	}
	b := Binary{Machine: f.Machine, Bits: f.Class, Static: true}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b.Static = false
		}
	}
	if f.Machine == elf.EM_ARM {
		flags, err := armFlags(r, f)
		if err != nil {
			return Binary{}, err
		}
		b.OldABI = flags&flagsEABI == 0
	}
	return b, nil
}

// armFlags reads e_flags, which debug/elf leaves out: at 36 of a 32-bit header.
func armFlags(r io.ReaderAt, f *elf.File) (uint32, error) {
	var field [4]byte
	if _, err := r.ReadAt(field[:], 36); err != nil {
		return 0, fmt.Errorf("not a program: %w", err)
	}
	return f.ByteOrder.Uint32(field[:]), nil
}

func (b Binary) String() string {
	names := map[elf.Machine]string{
		elf.EM_ARM: "ARM", elf.EM_AARCH64: "64-bit ARM", elf.EM_386: "32-bit x86", elf.EM_X86_64: "64-bit x86",
	}
	name, ok := names[b.Machine]
	if !ok {
		name = b.Machine.String()
	}
	if b.OldABI {
		name += " (old ABI)"
	}
	return name
}

// runsOn reports whether b can run where programs like other do.
func (b Binary) runsOn(other Binary) bool {
	return b.Machine == other.Machine && b.Bits == other.Bits ||
		b.Machine == elf.EM_386 && other.Machine == elf.EM_X86_64 ||
		b.Machine == elf.EM_ARM && other.Machine == elf.EM_AARCH64
}
