package daemon

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// maxMergeFile bounds a merge file that a module's "filter" names, in bytes.
const maxMergeFile = 1 << 20

// paramRule stands for the text of the parameter "filter": C rsync reads it as
// it reads a merge file whose rules are divided by white space (modifier w).
const (
	paramName = "filter"
	paramRule = ".w " + paramName
)

// moduleRules reads a module's own rules: filter, include from, include,
// exclude from, exclude, in this order of priority (clientserver.c:rsync_module). nil means that there are
// none. Merge files in "filter" are the administrator's own and named by
// absolute paths; they are read now, by this process. Those that it looks for in
// each folder are read on the way (see [moduleWalks]).
func moduleRules(m *conf.Module) (*filter.Rules, error) {
	rules := filter.New(filter.Options{ReadMerge: func(name string) ([]byte, error) {
		switch {
		case name == paramName:
			return []byte(m.Filter), nil
		case !strings.HasPrefix(name, "/"):
			return nil, errors.New("name a merge file by its absolute path")
		}
		return readMergeFile(name, operator(m))
	}})
	if strings.TrimSpace(m.Filter) != "" {
		if err := rules.Add(paramRule); err != nil {
			return nil, fmt.Errorf(`parameter "filter": %w`, err)
		}
	}
	for _, part := range []struct {
		name, text, file string
		add              func(string) error
		addFile          func(string, []byte) error
	}{
		{"include", m.Include, m.IncludeFrom, rules.AddInclude, rules.AddIncludeFile},
		{"exclude", m.Exclude, m.ExcludeFrom, rules.AddExclude, rules.AddExcludeFile},
	} {
		if part.file != "" {
			text, err := readMergeFile(part.file, operator(m))
			if err == nil {
				err = part.addFile(part.file, text)
			}
			if err != nil {
				return nil, fmt.Errorf("parameter \"%s from\": %w", part.name, err)
			}
		}
		for _, word := range words(part.text) {
			if err := part.add(word); err != nil {
				return nil, fmt.Errorf("parameter %q: %w", part.name, err)
			}
		}
	}
	if rules.Len() == 0 {
		return nil, nil
	}
	return rules, nil
}

// operator opens what a module's parameters name.
func operator(m *conf.Module) rootfs.Operator { return rootfs.Operator{Insecure: m.InsecureLinks} }

func readMergeFile(name string, by rootfs.Operator) ([]byte, error) {
	f, err := by.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMergeFile+1))
	if err == nil && len(text) > maxMergeFile {
		err = fmt.Errorf("larger than %d bytes", maxMergeFile)
	}
	return text, err
}

// words splits a list of patterns at white space, keeping the prefixes "- "
// and "+ " with what follows them (exclude.c:parse_rule_tok).
func words(text string) []string {
	fields := strings.Fields(text)
	var list []string
	for i := 0; i < len(fields); i++ {
		w := fields[i]
		if (w == "-" || w == "+") && i+1 < len(fields) {
			i++
			w += " " + fields[i]
		}
		list = append(list, w)
	}
	return list
}
