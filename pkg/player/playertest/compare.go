package playertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Compare returns nil if the players below a and b hold the same music: on either
// drive the same names with the same bytes, modes and times, folders included.
// Else the error tells the first differences, a line each.
func Compare(a, b string) error {
	const most = 8
	var diff []string
	for drive := range 2 {
		name := filepath.Join(driveName(drive), "fids")
		left, err := snapshot(filepath.Join(a, name))
		if err != nil {
			return fmt.Errorf("compare players: %w", err)
		}
		right, err := snapshot(filepath.Join(b, name))
		if err != nil {
			return fmt.Errorf("compare players: %w", err)
		}
		both := maps.Clone(left)
		maps.Copy(both, right)
		for _, rel := range slices.Sorted(maps.Keys(both)) {
			d, err := difference(left, right, rel)
			if err != nil {
				return fmt.Errorf("compare players: %w", err)
			}
			if d != "" {
				diff = append(diff, filepath.Join(name, rel)+": "+d)
			}
		}
	}
	if len(diff) == 0 {
		return nil
	}
	if more := len(diff) - most; more > 0 {
		diff = append(diff[:most], fmt.Sprintf("and %d more", more))
	}
	return errors.New("the players differ:\n" + strings.Join(diff, "\n"))
}

// state is what Compare looks at besides a file's bytes.
type state struct {
	path  string
	mode  fs.FileMode
	size  int64
	mtime time.Time
}

// snapshot lists a folder and all below it by relative names; nothing where it is absent.
func snapshot(dir string) (map[string]state, error) {
	out := make(map[string]state)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	err := filepath.WalkDir(dir, func(name string, de fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := de.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		s := state{path: name, mode: st.Mode(), mtime: st.ModTime()}
		if st.Mode().IsRegular() {
			s.size = st.Size()
		}
		out[rel] = s
		return nil
	})
	return out, err
}

// difference describes how one name differs, "" if it does not.
func difference(left, right map[string]state, rel string) (string, error) {
	a, inA := left[rel]
	b, inB := right[rel]
	switch {
	case !inB:
		return "only in the first", nil
	case !inA:
		return "only in the second", nil
	case a.mode != b.mode:
		return fmt.Sprintf("mode %v and %v", a.mode, b.mode), nil
	case a.size != b.size:
		return fmt.Sprintf("%d and %d bytes", a.size, b.size), nil
	case !a.mtime.Equal(b.mtime):
		return fmt.Sprintf("time %s and %s", a.mtime.UTC().Format(time.RFC3339Nano), b.mtime.UTC().Format(time.RFC3339Nano)), nil
	case !a.mode.IsRegular():
		return "", nil
	}
	same, err := sameBytes(a.path, b.path)
	if err != nil || same {
		return "", err
	}
	return "other bytes", nil
}

func sameBytes(a, b string) (bool, error) {
	fa, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		na, errA := io.ReadFull(fa, bufA)
		nb, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:na], bufB[:nb]) {
			return false, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if errA != nil || errB != nil {
			return (errA != nil) == (errB != nil), nil
		}
	}
}

// TempLeftovers lists, relative to dir, the files below it that are named as rsync
// names its temporary files: a dot, the final name, a dot, six letters or digits. It
// looks everywhere, not only at the music, and does not follow links.
func TempLeftovers(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(name string, de fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !de.IsDir() && isTempName(de.Name()) {
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				return err
			}
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for temporary files: %w", err)
	}
	return out, nil
}

func isTempName(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 2 || name[0] != '.' || len(name)-dot-1 != 6 {
		return false
	}
	for _, c := range []byte(name[dot+1:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
