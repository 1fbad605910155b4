package board

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"strings"
)

// module is a kernel module: its file, and the names of those it needs.
type module struct {
	content []byte
	needs   []string
}

// moduleName is a module's name by its file: "virtio-rng.ko" is known as virtio_rng.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

// parseModule reads what a module says of itself in its section .modinfo:
// "depends=jbd2,crc16" among others, separated by NUL.
func parseModule(content []byte) (module, error) {
	m := module{content: content}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return m, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return m, fmt.Errorf("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return m, err
	}
	for word := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := strings.CutPrefix(string(word), "depends="); ok && list != "" {
			m.needs = strings.Split(list, ",")
		}
	}
	return m, nil
}

// loadOrder lists the wanted modules and all that they need, each after what it
// needs. A wanted module that is not there is an error: it may be built into
// another kernel, but then the recipe is wrong for this one.
func loadOrder(have map[string]module, want []string) ([]string, error) {
	var order []string
	done := make(map[string]bool)
	var add func(name, by string) error
	add = func(name, by string) error {
		name = moduleName(name)
		if done[name] {
			return nil
		}
		done[name] = true
		m, ok := have[name]
		if !ok {
			return fmt.Errorf("the kernel package has no module %s, which %s asks for", name, by)
		}
		for _, n := range m.needs {
			if err := add(n, name); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range want {
		if err := add(name, "the recipe"); err != nil {
			return nil, err
		}
	}
	return order, nil
}
