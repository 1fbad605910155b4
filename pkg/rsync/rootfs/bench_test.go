package rootfs

import (
	"fmt"
	"os"
	"testing"
)

// Run with -benchtime of a fixed count, for instance -bench=. -benchtime=20000x; the system calls of each step can be counted
// with strace -cf on the test binary. Every benchmark works on fids laid out as on a player: 4 KiB files, 256 to a directory.

func benchRoot(b *testing.B, old bool) *Root {
	b.Helper()
	k := new(kernel)
	k.noOpenat2.Store(old)
	k.noFchmodat2.Store(old)
	r, err := open(b.TempDir(), k)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	return r
}

func fidName(i int) string { return fmt.Sprintf("fids/_%05x/%03x", i>>8, i&0xff<<4) }

// fill makes n files the quick way.
func fill(b *testing.B, r *Root, n int, body []byte) {
	b.Helper()
	for i := range n {
		dir, _ := split(fidName(i))
		if i&0xff == 0 {
			if err := r.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(r.Name()+"/"+fidName(i), body, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreate is a new file as a pull makes it: create, write, owner, mode, time, rename.
func BenchmarkCreate(b *testing.B) {
	r := benchRoot(b, false)
	body := make([]byte, 4096)
	fields := FieldMode | FieldMtime
	meta := Meta{Fields: fields, Mode: 0o644, Mtime: 1000000000}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for i := range b.N {
		name := fidName(i)
		if i&0xff == 0 {
			dir, _ := split(name)
			if err := r.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		t, err := r.CreateTemp(name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := t.Write(body); err != nil {
			b.Fatal(err)
		}
		if err := t.SetMetadata(meta); err != nil {
			b.Fatal(err)
		}
		if err := t.Commit(name); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSurvey10k reads names and lstat values of 10,000 files.
func BenchmarkSurvey10k(b *testing.B) {
	const files = 10000
	r := benchRoot(b, false)
	fill(b, r, files, nil)
	b.ReportAllocs()
	for b.Loop() {
		seen := 0
		dirs, err := r.ReadDir("fids")
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range dirs {
			infos, err := r.ReadDirInfo("fids/" + d.Name)
			if err != nil {
				b.Fatal(err)
			}
			seen += len(infos)
		}
		if seen != files {
			b.Fatalf("%d files", seen)
		}
	}
}

// BenchmarkLstat is the generator's look at an unchanged file, with the kernel's openat2 and with the walk.
func BenchmarkLstat(b *testing.B) {
	for name, old := range map[string]bool{"openat2": false, "walk": true} {
		b.Run(name, func(b *testing.B) {
			const files = 8192 // 32 directories: twice what the cache holds
			r := benchRoot(b, old)
			fill(b, r, files, nil)
			names := make([]string, files)
			for i := range names {
				names[i] = fidName(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := r.Lstat(names[i%files]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkRead opens, reads and closes a 4 KiB file, as a sender does.
func BenchmarkRead(b *testing.B) {
	const files = 1024
	r := benchRoot(b, false)
	fill(b, r, files, make([]byte, 4096))
	buf := make([]byte, 4096)
	b.SetBytes(4096)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f, _, err := r.OpenRead(fidName(i%files), 0)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := f.ReadAt(buf, 0); n != len(buf) {
			b.Fatal(n, err)
		}
		f.Close()
		i++
	}
}

func BenchmarkCheckPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if CheckPath("fids/_00018/6f0") != nil {
			b.Fatal("refused")
		}
	}
}
