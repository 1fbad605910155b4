package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// maxMergeFile bounds a file of filter rules, in bytes.
const maxMergeFile = 4 << 20

// Locate gives the [transfer.Locate] of a side that works for its own user:
// rules are about paths of the machine, and merge files are found where they are
// named.
func Locate(by rootfs.Operator) transfer.Locate {
	return func(root *rootfs.Root, _ string) (base string, read filter.ReadFile) {
		base, err := filepath.Abs(root.Name())
		if err != nil {
			base = root.Name()
		}
		return base, func(name string) ([]byte, error) {
			if rest, ok := transfer.Below(base, name); ok {
				return by.ReadWithin(root, rest, maxMergeFile)
			}
			return ReadRuleFile(name, by)
		}
	}
}

// ReadRuleFile reads a file of filter rules that the user has named, "-" being
// the standard input.
func ReadRuleFile(name string, by rootfs.Operator) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		f, err := by.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxMergeFile+1))
	if err == nil && len(text) > maxMergeFile {
		err = fmt.Errorf("%q has more than %d bytes", name, maxMergeFile)
	}
	return text, err
}

// CVSIgnore returns what the user adds to the rules of --cvs-exclude: the text
// of ~/.cvsignore and the value of $CVSIGNORE (exclude.c:get_cvs_excludes).
func CVSIgnore(by rootfs.Operator) []string {
	var texts []string
	if home := os.Getenv("HOME"); home != "" {
		if text, err := ReadRuleFile(filepath.Join(home, ".cvsignore"), by); err == nil {
			texts = append(texts, strings.Join(strings.Fields(string(text)), " "))
		}
	}
	return append(texts, os.Getenv("CVSIGNORE"))
}
