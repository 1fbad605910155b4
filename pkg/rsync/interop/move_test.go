package interop

import (
	"fmt"
	"strings"
	"testing"
)

// movedTree is variedTree with files that do not get to the destination.
func movedTree(s *sandbox, dir string) {
	variedTree(s, dir)
	s.write(dir+"/refused/a", []byte("where a file cannot be"), then)
	s.write(dir+"/sub/skipped", []byte("excluded"), then)
	for _, n := range []string{"refused", "sub", "."} {
		s.must(touch(dir+"/"+n, then+100))
	}
}

func movedDest(s *sandbox, dir string) {
	variedDest(s, dir)
	s.write(dir+"/refused/a/b", []byte("in the way"), then)
	s.write(dir+"/sub/deep/new", []byte("deep down"), then) // as at the source
}

// The sending side removes what has arrived, and nothing else.
func TestRemoveSourceFiles(t *testing.T) {
	o := oracle{source: movedTree, dest: movedDest, eats: true}
	onFiles(t, o, "-ai --remove-source-files", "-aiH --remove-source-files --info=remove --exclude=skipped", "-ai --remove-sent-files",
		"-aiHc --remove-source-files --no-i-r", "-ain --remove-source-files", "-ai --remove-source-files --delay-updates",
		"-aiHL --remove-source-files --inplace", "-aiH --remove-sent-files --info=remove --delay-updates", "-ai --remove-source-files --ignore-existing --exclude=becomes*",
		"-aiu --remove-source-files --existing --fsync", "-aHi --remove-source-files --delete --force")
	o.silent = true
	for _, protocol := range []int{24, 26, 28, 29, 30} {
		onFiles(t, o, fmt.Sprintf("-aH --remove-source-files --protocol=%d", protocol))
	}
	onFiles(t, o, "-a --remove-source-files --protocol=23", "-aHC --delete --remove-source-files --protocol=29", "-az --remove-sent-files --protocol=28", "-aHz --delay-updates --remove-source-files --protocol=29")
}

func TestRemoveSourceBesideOthers(t *testing.T) {
	o := oracle{eats: true, source: variedTree, dest: altDest}
	for _, kind := range []string{"compare", "copy", "link"} {
		onFiles(t, o, "-ai --remove-source-files --"+kind+"-dest=../alt", "-ai --remove-sent-files --"+kind+"-dest=../alt")
	}
}

// What is at the destination is the source's own file.
func TestRemoveSourceInPlace(t *testing.T) {
	s := newSandbox(t)
	variedTree(s, s.src)
	before := strings.Join(names(t, s.src), "\n")
	o := oracle{flags: []string{"-aI", "--remove-source-files"}}
	if got := o.ours(s, "we copy", "", s.src); got.code != 23 {
		t.Errorf("exit code %d", got.code)
	}
	if after := strings.Join(names(t, s.src), "\n"); after != before {
		t.Errorf("files are lost:%s", difference(before, after))
	}
}

// A module that may only be read loses nothing.
func TestRemoveSourceReadOnly(t *testing.T) {
	for _, protocol := range []int{32, 29} {
		s := newSandbox(t)
		s.ours(s.src, "read only = yes")
		s.write(s.src+"/f", []byte("stays"), then)
		out, code := s.rsync("-a", fmt.Sprintf("--protocol=%d", protocol), "--remove-source-files", s.url("/"), s.dst+"/")
		if protocol == 32 && !strings.Contains(out, "ERROR: --remove-source-files cannot be used with a read-only module") || code == 0 {
			t.Errorf("code %d: %s", code, out)
		}
		if left := strings.Join(names(t, s.src), " "); left != "f" {
			t.Errorf("%q is left", left)
		}
	}
}
