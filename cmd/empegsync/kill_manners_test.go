package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// manner is a set of options that decide how files are replaced, and what must
// hold however and whenever a run with them ends.
type manner struct {
	options string // @ is the test's folder
	from    string // the folder that the destination is a copy of at first, "" for an empty one
	suffix  string // of the backups beside their files
	backups string // the folder that backups go to
	part    string // what the folders are called in which unfinished or waiting files lie
	temps   string // the folder for temporary files
	torn    bool   // files are written into: a kill leaves a mixture
	appends bool   // files are added to: a kill leaves a beginning
	linked  bool   // names of one file stay so
	like    string // the folder with which files that are the same are shared
}

// manners are all of them.
func manners() []manner {
	return []manner{
		{options: "--delete", from: "old"},
		{options: "--delete --partial-dir=.part", from: "old", part: ".part"},
		{options: "--delete --delay-updates", from: "old", part: ".~tmp~"},
		{options: "--delete -b", from: "old", suffix: "~"},
		{options: "--delete -b --backup-dir=@/backups", from: "old", backups: "backups"},
		{options: "--delete --inplace", from: "old", torn: true},
		{options: "--delete --append", from: "beginnings", appends: true},
		{options: "--delete -H", from: "old", linked: true},
		{options: "--delete --link-dest=@/old", like: "old"},
		{options: "--delete-after", from: "old"},
		{options: "--delete --temp-dir=@/temps", from: "old", temps: "temps"},
		{options: "--delete-delay -bH --delay-updates --fsync", from: "old", suffix: "~", part: ".~tmp~", linked: true},
	}
}

// found is what a run has left behind.
type found struct {
	files   map[string]string // at the destination, under their names
	backups map[string]string // of what, by the names of the files
	parts   map[string]string // in the folders for those
	hidden  int               // under temporary names
	temps   int               // in the folder for those
}

// look sorts what is there.
func (a *accidents) look(t *testing.T, w manner) found {
	t.Helper()
	f := found{files: map[string]string{}, backups: map[string]string{}, parts: map[string]string{}}
	for name, text := range texts(t, a.dest) {
		dir, base := path.Split(name)
		switch {
		case w.part != "" && path.Base(dir) == w.part:
			f.parts[path.Join(path.Dir(path.Clean(dir)), base)] = text
		case strings.HasPrefix(base, "."):
			f.hidden++
		case w.suffix != "" && strings.HasSuffix(name, w.suffix):
			f.backups[strings.TrimSuffix(name, w.suffix)] = text
		default:
			f.files[name] = text
		}
	}
	if w.backups != "" {
		for name, text := range texts(t, a.dir+"/"+w.backups) {
			if base := path.Base(name); strings.HasPrefix(base, ".") {
				continue // of a file that was on its way there, or a backup of such a one
			}
			f.backups[strings.TrimSuffix(name, w.suffix)] = text
		}
	}
	if w.temps != "" {
		f.temps = len(texts(t, a.dir+"/"+w.temps))
	}
	return f
}

// whole checks what a killed run has left: each file of one version or the
// other, and nothing lost. It reports whether the run was in the middle of it.
func (a *accidents) whole(t *testing.T, w manner, f found) (midway bool) {
	t.Helper()
	before := a.version(w.from)
	changed := 0
	for name, text := range f.files {
		was, inOld := before[name]
		is, inNew := a.after[name]
		switch {
		case inNew && text == is:
			if was != is {
				changed++
			}
		case inOld && text == was:
		case inNew && (w.torn || w.appends && strings.HasPrefix(is, text)):
		default:
			t.Errorf("%s is torn: %d bytes, neither the old version (%d) nor the new one (%d)", name, len(text), len(was), len(is))
		}
	}
	for name := range before {
		if _, still := f.files[name]; !still && a.after[name] != "" {
			t.Errorf("%s is lost", name)
		}
	}
	if w.suffix != "" || w.backups != "" {
		a.kept(t, before, f)
	}
	for name := range f.parts {
		if a.after[name] == "" {
			t.Errorf("what has come of %s is kept: there is no such file", name)
		}
	}
	if f.temps > 1 {
		t.Errorf("%d files in the folder for temporary ones after a single run", f.temps)
	}
	return changed > 0 && (len(f.files) < len(a.after) || changed < a.differ(before))
}

// kept checks that backups are whole, and that each old version is somewhere.
func (a *accidents) kept(t *testing.T, before map[string]string, f found) {
	t.Helper()
	for name, text := range f.backups {
		if text != before[name] {
			t.Errorf("the backup of %s is torn, or is none: %d bytes, not %d", name, len(text), len(before[name]))
		}
	}
	for name, text := range before {
		if f.files[name] != text && f.backups[name] != text {
			t.Errorf("the old version of %s is lost", name)
		}
	}
}

// differ counts the files whose new version is not what was there.
func (a *accidents) differ(before map[string]string) (n int) {
	for name, text := range a.after {
		if before[name] != text {
			n++
		}
	}
	return n
}

// converged checks what the run after a killed one has left: nothing but the new
// version, and the backups of all that it has replaced. The run must have made
// use of what had come before.
func (a *accidents) converged(t *testing.T, w manner, killed, now found, out string) {
	t.Helper()
	before := a.version(w.from)
	if !maps.Equal(now.files, a.after) {
		t.Errorf("the rerun left %d files, not the %d wanted", len(now.files), len(a.after))
	}
	if len(now.parts) > 0 {
		t.Errorf("the rerun left %q in folders called %s", slices.Sorted(maps.Keys(now.parts)), w.part)
	}
	if now.hidden > 0 && w.suffix == "" { // else they are deleted as others are: with a backup
		t.Errorf("the rerun left %d files under temporary names", now.hidden)
	}
	if now.temps > killed.temps {
		t.Errorf("the rerun left %d files in the folder for temporary ones", now.temps-killed.temps)
	}
	if w.suffix != "" || w.backups != "" {
		a.kept(t, before, now)
	}
	const block = 700 // bytes: what files of this size are compared by
	kept, matched := 0, regexp.MustCompile(`Matched data: ([\d,]+) bytes`).FindStringSubmatch(out)
	for _, text := range killed.parts {
		kept += len(text) / block * block
	}
	if matched == nil {
		t.Errorf("no statistics: %s", out)
	} else if n, err := strconv.Atoi(strings.ReplaceAll(matched[1], ",", "")); err != nil || n < kept {
		t.Errorf("%d bytes of %d files had come, the rerun made use of %s", kept, len(killed.parts), matched[1])
	}
	a.shared(t, w, before)
}

// shared checks which names are of one file.
func (a *accidents) shared(t *testing.T, w manner, before map[string]string) {
	t.Helper()
	same := func(one, other string) bool {
		x, err := os.Stat(one)
		must(t, err)
		y, err := os.Stat(other)
		must(t, err)
		return os.SameFile(x, y)
	}
	if w.linked {
		for one, other := range a.pairs {
			if !same(a.dest+"/"+one, a.dest+"/"+other) {
				t.Errorf("%s and %s are two files", one, other)
			}
		}
	}
	if w.like == "" {
		return
	}
	if now := texts(t, a.dir+"/"+w.like); !maps.Equal(now, a.version(w.like)) {
		t.Errorf("the folder of %s has changed", w.options)
	}
	for name, text := range a.version(w.like) {
		if text == a.after[name] && !same(a.dest+"/"+name, a.dir+"/"+w.like+"/"+name) {
			t.Errorf("%s is a copy of what could be shared", name)
		}
	}
}

// version is what the files below one of the test's folders held at first.
func (a *accidents) version(folder string) map[string]string {
	return a.versions[folder]
}

// beginning is some of a file, of a length that depends on its number.
func beginning(body []byte, i int) []byte { return body[:len(body)*(i%7)/7] }

// name is a file's in all versions, for a file of two names the first.
func name(i int) string { return fmt.Sprintf("d%d/f%d", i%4, i) }
