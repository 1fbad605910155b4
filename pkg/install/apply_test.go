package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/player/playertest"
)

const playerText = "#!/bin/sh\necho \"the player $*\"\nexit 42\n"

// newPlayer lays out a player's root with a player program, or with preinit.d.
func newPlayer(t *testing.T, withPreinit bool) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	root = filepath.Join(root, "player")
	must(t, playertest.Build(root, playertest.Options{Name: "kitchen", Fids: 12}))
	must(t, os.WriteFile(filepath.Join(root, playerProgram), []byte(playerText), 0o755))
	if withPreinit {
		must(t, os.Mkdir(filepath.Join(root, preinitFolder), 0o755))
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree says of everything below root what it is, the content of files included.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			must(t, err)
			what += " -> " + target
		case info.Mode().IsRegular():
			text, err := os.ReadFile(name)
			must(t, err)
			if len(text) > 2000 {
				text = fmt.Appendf(nil, "%d bytes", len(text))
			}
			what += " " + string(text)
		}
		out[rel] = what
		return nil
	}))
	return out
}

// program is this test's own binary: a real program, and it needs no libraries
// when it was built without cgo.
func program(t testing.TB) string {
	t.Helper()
	name, err := os.Executable()
	must(t, err)
	return name
}

func guard() *mounts.Guard { return mounts.NewGuard(mounts.Linux{}, nil) }

// plan observes and plans, without Check: a test with the race detector is no
// program for players.
func plan(t testing.TB, root string, make func(Observed) (Planned, error)) Planned {
	t.Helper()
	o, err := Observe(root, program(t), guard())
	must(t, err)
	p, err := make(o)
	must(t, err)
	return p
}

func toInstall(o Observed) (Planned, error) { return Plan(o, Want{}) }

func apply(t testing.TB, root string, p Planned) {
	t.Helper()
	finish, err := Applier{Root: root, Guard: guard()}.Apply(t.Context(), p.Actions)
	if err != nil || finish != "" {
		t.Fatalf("apply: %v, left for a shell: %q", err, finish)
	}
}

func TestInstallAndUninstall(t *testing.T) {
	for _, withPreinit := range []bool{false, true} {
		t.Run(fmt.Sprintf("preinit %v", withPreinit), func(t *testing.T) {
			root := newPlayer(t, withPreinit)
			before := tree(t, root)
			apply(t, root, plan(t, root, toInstall))
			want := map[string]string{}
			for name, what := range before {
				want[name] = what
			}
			info, err := os.Stat(program(t))
			must(t, err)
			want["drive0/empegsync"] = "drwxr-xr-x"
			want["drive0/empegsync/empegsync"] = fmt.Sprintf("-rwxr-xr-x %d bytes", info.Size())
			want["drive0/empegsync/empegsync.conf"] = fmt.Sprintf("-rw-r--r-- %d bytes", len(defaultConfig(Want{}, []string{"drive0", "drive1"})))
			want["drive0/empegsync/reinstate"] = "-rwxr-xr-x " + reinstateScript()
			for _, name := range linkNames() {
				want["bin/"+name] = "Lrwxrwxrwx -> /drive0/empegsync/empegsync"
			}
			if withPreinit {
				want["etc/preinit.d/empegsync"] = "-rwxr-xr-x " + preinit(Program)
			} else {
				want["empeg/bin/empegsync"] = "drwxr-xr-x"
				want["empeg/bin/empegsync/player"] = "-rwxr-xr-x " + playerText
				want["empeg/bin/player"] = "-rwxr-xr-x " + wrapper(Program, keptPlayer)
			}
			if diff := cmp.Diff(want, tree(t, root)); diff != "" {
				t.Errorf("installed (-want +got):\n%s", diff)
			}
			if p := plan(t, root, toInstall); len(p.Actions) > 0 {
				t.Errorf("a second time:\n%s", p.Show(false))
			}
			apply(t, root, plan(t, root, PlanUninstall))
			if diff := cmp.Diff(before, tree(t, root)); diff != "" {
				t.Errorf("uninstalled (-before +after):\n%s", diff)
			}
		})
	}
}

// Whatever an upgrade of the player's software takes away, reinstate brings back,
// and the configuration that a person has written stays.
func TestReinstate(t *testing.T) {
	root := newPlayer(t, false)
	apply(t, root, plan(t, root, toInstall))
	must(t, os.WriteFile(filepath.Join(root, Config), []byte("role = slave\n"), 0o644))
	before := tree(t, root)
	for _, name := range []string{"bin/empegsync", "bin/rsync", "bin/reindex", "empeg/bin/empegsync"} {
		must(t, os.RemoveAll(filepath.Join(root, name)))
	}
	const upgraded = "#!/bin/sh\necho upgraded\n"
	must(t, os.WriteFile(filepath.Join(root, playerProgram), []byte(upgraded), 0o755))
	apply(t, root, plan(t, root, PlanReinstate))
	before["empeg/bin/empegsync/player"] = "-rwxr-xr-x " + upgraded
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Errorf("reinstated (-want +got):\n%s", diff)
	}
}

// cut stops a plan before its action number n.
func cut(t *testing.T, root string, p Planned, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := 0
	_, err := Applier{Root: root, Guard: guard(), Report: func(Action) {
		if k++; k == n {
			cancel()
		}
	}}.Apply(ctx, p.Actions)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// starts fails the test unless there is a player program that the player's init
// can start: the real one, or the wrapper with the real one behind it.
func starts(t *testing.T, root, when string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, playerProgram))
	must(t, err)
	if isOurs(text) {
		text, err = os.ReadFile(filepath.Join(root, keptPlayer))
	}
	if err != nil || string(text) != playerText {
		t.Errorf("%s the player is %q, %v", when, text, err)
	}
}

// A power cut between any two steps leaves a player that starts, and a second
// installation completes the first; likewise when uninstalling.
func TestPowerCut(t *testing.T) {
	for _, withPreinit := range []bool{false, true} {
		whole := newPlayer(t, withPreinit)
		before := tree(t, whole)
		steps := plan(t, whole, toInstall)
		apply(t, whole, steps)
		want := tree(t, whole)
		for n := 1; n <= len(steps.Actions); n++ {
			root := newPlayer(t, withPreinit)
			cut(t, root, plan(t, root, toInstall), n)
			starts(t, root, fmt.Sprintf("after step %d (%s)", n, steps.Actions[n-1]))
			// The power may also go while a file is being written.
			leftover := filepath.Join(root, filepath.Dir(nameOf(steps.Actions[n-1])), ".x"+tempMark+"0badcafe")
			must(t, os.WriteFile(leftover, []byte("half"), 0o600))
			apply(t, root, plan(t, root, toInstall))
			if diff := cmp.Diff(want, tree(t, root)); diff != "" {
				t.Errorf("cut off after step %d, then again (-want +got):\n%s", n, diff)
			}
			back := plan(t, root, PlanUninstall)
			m := 1 + n%len(back.Actions)
			cut(t, root, back, m)
			starts(t, root, fmt.Sprintf("after step %d of uninstalling", m))
			apply(t, root, plan(t, root, PlanUninstall))
			if diff := cmp.Diff(before, tree(t, root)); diff != "" {
				t.Errorf("uninstalling cut off after step %d, then again (-want +got):\n%s", m, diff)
			}
		}
	}
}

// nameOf is the place that an action writes to.
func nameOf(a Action) string {
	switch a := a.(type) {
	case MakeFolder:
		return a.Name
	case PutFile:
		return a.Name
	case PutProgram:
		return a.Name
	case MakeLink:
		return a.Name
	case SecondName:
		return a.To
	}
	return "/bin/x"
}

// The program before stays while a new one is laid down.
func TestUpgradeKeepsTheOldProgram(t *testing.T) {
	root := newPlayer(t, false)
	must(t, os.Mkdir(filepath.Join(root, Folder), 0o755))
	old := strings.Repeat("old", textLimit)
	must(t, os.WriteFile(filepath.Join(root, Program), []byte(old), 0o755))
	held, err := os.Open(filepath.Join(root, Program)) // as the kernel does of what runs
	must(t, err)
	defer held.Close()
	apply(t, root, plan(t, root, toInstall))
	kept, err := os.Stat(filepath.Join(root, OldProgram))
	must(t, err)
	info, err := held.Stat()
	must(t, err)
	if !os.SameFile(kept, info) {
		t.Error("the program that may still run has lost its name")
	}
	if p := plan(t, root, toInstall); len(p.Actions) > 0 {
		t.Errorf("a second time:\n%s", p.Show(false))
	}
}

// A copy that is not the original is not put in its place.
func TestCopyIsVerified(t *testing.T) {
	root := newPlayer(t, false)
	p := plan(t, root, toInstall)
	for i, a := range p.Actions {
		if put, ok := a.(PutProgram); ok {
			put.Sum = strings.Repeat("0", 64)
			p.Actions[i] = put
		}
	}
	_, err := Applier{Root: root, Guard: guard()}.Apply(t.Context(), p.Actions)
	if err == nil || !strings.Contains(err.Error(), "differs from the original") {
		t.Errorf("error %v", err)
	}
	for name := range tree(t, root) {
		if strings.Contains(name, tempMark) || name == strings.TrimPrefix(Program, "/") {
			t.Errorf("%s is there", name)
		}
	}
	starts(t, root, "after a failed copy")
}

// What runs from the program cannot remove it: that is left to a shell.
func TestUninstallBySelf(t *testing.T) {
	root := newPlayer(t, false)
	apply(t, root, plan(t, root, toInstall))
	finish, err := Applier{Root: root, Guard: guard(), Self: true}.Apply(t.Context(), plan(t, root, PlanUninstall).Actions)
	must(t, err)
	if want := "cd /; rm -f /drive0/empegsync/empegsync; rmdir /drive0/empegsync; sync"; finish != want {
		t.Errorf("left for a shell: %q, want %q", finish, want)
	}
	if _, err := os.Stat(filepath.Join(root, Program)); err != nil {
		t.Error(err)
	}
}

// A link below the root that leads out of it is followed as the player would.
func TestLinksStayBelowTheRoot(t *testing.T) {
	root := newPlayer(t, false)
	outside := t.TempDir()
	must(t, os.RemoveAll(filepath.Join(root, "bin")))
	must(t, os.Symlink(outside, filepath.Join(root, "bin")))
	if o, err := Observe(root, program(t), guard()); err == nil {
		p, err := Plan(o, Want{})
		if err == nil {
			_, err = Applier{Root: root, Guard: guard()}.Apply(t.Context(), p.Actions)
		}
		if err == nil {
			t.Error("links were laid somewhere")
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside of the root: %v, %v", entries, err)
	}
}
