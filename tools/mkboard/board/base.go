package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// Base is what all boards share: the kernel, the initial file system with its
// modules, and the programs of the root.
type Base struct {
	Kernel   string            // file
	Initrd   string            // file
	programs map[string][]byte // by name below the root
	links    []Link
}

// BuildBase makes a Base in dir out of the packages in a folder and of boardinit,
// the board's own program, built for ARM.
func BuildBase(ctx context.Context, r Recipe, packages, boardinit, dir string) (*Base, error) {
	own, err := os.ReadFile(boardinit)
	if err != nil {
		return nil, fmt.Errorf("build a board: %w", err)
	}
	b := &Base{
		Kernel: filepath.Join(dir, "vmlinuz"), Initrd: filepath.Join(dir, "initrd"), links: r.Links,
		programs: map[string][]byte{"bin/init": own},
	}
	for _, p := range r.Programs {
		if b.programs[p.Name], err = fileOf(ctx, packages, p); err != nil {
			return nil, fmt.Errorf("build a board: %w", err)
		}
	}
	kernel, modules, err := unpackKernel(ctx, packages, r.Kernel)
	if err != nil {
		return nil, fmt.Errorf("build a board: %w", err)
	}
	initrd, err := buildInitrd(own, modules, r.Modules)
	if err != nil {
		return nil, fmt.Errorf("build a board: %w", err)
	}
	return b, errors.Join(os.WriteFile(b.Kernel, kernel, 0o644), os.WriteFile(b.Initrd, initrd, 0o644))
}

// fileOf takes one program from its package.
func fileOf(ctx context.Context, packages string, p Program) (content []byte, err error) {
	deb, err := findPackage(packages, p.Package+"_*")
	if err != nil {
		return nil, err
	}
	err = unpack(ctx, deb, func(name string) bool { return name == p.File }, func(_ string, b []byte) error {
		content = b
		return nil
	})
	if err == nil && content == nil {
		err = fmt.Errorf("package %s has no file %s", p.Package, p.File)
	}
	return content, err
}

// unpackKernel takes the kernel and its modules. The recipe names the package that
// depends on the newest kernel; the kernel's own is named after its version:
// linux-image-armmp stands for linux-image-*-armmp.
func unpackKernel(ctx context.Context, packages, meta string) (kernel []byte, modules map[string]module, err error) {
	flavour := meta[strings.LastIndexByte(meta, '-')+1:]
	deb, err := findPackage(packages, "linux-image-*-"+flavour+"_*")
	if err != nil {
		return nil, nil, err
	}
	modules = make(map[string]module)
	want := func(name string) bool {
		return strings.HasPrefix(name, "boot/vmlinuz-") || strings.HasSuffix(name, ".ko")
	}
	err = unpack(ctx, deb, want, func(name string, content []byte) error {
		if !strings.HasSuffix(name, ".ko") {
			kernel = content
			return nil
		}
		m, err := parseModule(content)
		if err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
		modules[moduleName(name)] = m
		return nil
	})
	if err == nil && kernel == nil {
		err = fmt.Errorf("%s has no boot/vmlinuz-*", filepath.Base(deb))
	}
	return kernel, modules, err
}

// buildInitrd makes the kernel's initial file system: boardinit as /init, the
// modules, and the file /modules that lists them in the order of loading. It is not
// compressed, since unpacking would take the emulated processor longer than reading.
func buildInitrd(boardinit []byte, have map[string]module, want []string) ([]byte, error) {
	order, err := loadOrder(have, want)
	if err != nil {
		return nil, err
	}
	var records []cpio.Record
	for _, name := range []string{"dev", "lib", "proc", "root", "sys"} {
		records = append(records, cpio.Directory(name, 0o755))
	}
	// The kernel opens it for the first process before there is anything mounted.
	records = append(records, cpio.CharDev("dev/console", 0o600, 5, 1))
	var list strings.Builder
	for _, name := range order {
		file := path.Join("lib", name+".ko")
		list.WriteString("/" + file + "\n")
		records = append(records, cpio.StaticFile(file, string(have[name].content), 0o644))
	}
	records = append(records, cpio.StaticFile("modules", list.String(), 0o644), cpio.StaticFile("init", string(boardinit), 0o755))
	cpio.MakeAllReproducible(records)
	var out bytes.Buffer
	w := cpio.Newc.Writer(&out)
	if err := cpio.WriteRecords(w, records); err != nil {
		return nil, fmt.Errorf("initial file system: %w", err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return nil, fmt.Errorf("initial file system: %w", err)
	}
	return out.Bytes(), nil
}
