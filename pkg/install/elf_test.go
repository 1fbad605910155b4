package install

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// Programs of this machine are read as the standard library reads them.
func TestReadBinary(t *testing.T) {
	names := []string{program(t)}
	for _, name := range []string{"sh", "busybox", "rsync"} {
		if path, err := exec.LookPath(name); err == nil {
			names = append(names, path)
		}
	}
	for _, name := range names {
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		got, err := ReadBinary(f)
		must(t, err)
		full, err := elf.NewFile(f)
		must(t, err)
		static := true
		for _, p := range full.Progs {
			static = static && p.Type != elf.PT_INTERP
		}
		if got.CPU != CPU(full.Machine) || got.Static != static || got.OldABI {
			t.Errorf("%s: %+v, want %v, static %v", name, got, full.Machine, static)
		}
	}
	if want := map[string]string{"amd64": "64-bit x86", "386": "32-bit x86", "arm": "ARM", "arm64": "64-bit ARM"}[runtime.GOARCH]; want != "" {
		f, err := os.Open(program(t))
		must(t, err)
		defer f.Close()
		if b, err := ReadBinary(f); err != nil || b.String() != want {
			t.Errorf("%v, %v; want %s", b, err, want)
		}
	}
}

func TestReadBinaryRefuses(t *testing.T) {
	for _, text := range []string{"", "#!/bin/sh\n", "\x7fELF", strings.Repeat("\x7fELF", 20), "\x7fELF\x01\x01" + strings.Repeat("\xff", 80)} {
		if b, err := ReadBinary(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for %v", text, b)
		}
	}
}

// FuzzReadBinary looks for a header that makes it panic.
func FuzzReadBinary(f *testing.F) {
	if text, err := os.ReadFile("/proc/self/exe"); err == nil {
		f.Add(text[:4096])
	}
	f.Add([]byte("\x7fELF\x01\x01\x01" + strings.Repeat("\x00", 45)))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = ReadBinary(bytes.NewReader(text)) // whatever it says
	})
}
