package backup

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// leaveOut returns a rule that keeps a backup out of itself, where its folder dir
// lies below source, else "". It is an error if dir is the source.
func leaveOut(source, dir string) (string, error) {
	_, sent := transfer.SplitSource(source)
	from, err := real(source)
	if err != nil {
		return "", nil // told when its turn comes
	}
	to, err := real(dir)
	if err != nil {
		return "", fmt.Errorf("find out where %s is: %w", dir, err)
	}
	below, err := filepath.Rel(from, to)
	switch {
	case err != nil || below == ".." || strings.HasPrefix(below, "../"):
		return "", nil
	case below == ".":
		return "", fmt.Errorf("%s is to be saved into itself", source)
	}
	if sent == "." || sent == ".." {
		return literal("/" + below + "/"), nil
	}
	return literal("/" + sent + "/" + below + "/"), nil
}

func real(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// literal makes a pattern that matches just this path: a backslash counts as one
// only in a pattern with a wildcard.
func literal(path string) string {
	if !strings.ContainsAny(path, "*?[") {
		return path
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
