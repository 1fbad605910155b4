package install

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/role"
)

// bare is a player as it comes from the box, with a program to lay down.
func bare() Observed {
	o := Observed{
		Bin: "/bin", Drives: []string{"drive0", "drive1"}, Drive0: true,
		Root: Space{6 << 20, 500}, Drive: Space{1 << 30, 100}, Places: map[string]Place{},
	}
	o.Source = Source{Path: "new", Size: 7 << 20, Sum: "aa", Binary: Binary{Static: true}}
	o.Places[playerProgram] = Place{Kind: File, Mode: 0o755, Size: 900_000, Inode: 7}
	return o
}

// installed is a player where all is in place.
func installed() Observed {
	o := bare()
	o.Places[Folder] = Place{Kind: Folderlike}
	o.Places[Program] = Place{Kind: File, Mode: 0o755, Size: 7 << 20, Sum: "aa", Inode: 20}
	o.Places[Config] = Place{Kind: File, Mode: 0o644, Text: []byte("role = slave\n")}
	o.Places[Reinstate] = Place{Kind: File, Mode: 0o755, Text: []byte(reinstateScript())}
	o.Places[playerFolder] = Place{Kind: Folderlike}
	o.Places[keptPlayer] = o.Places[playerProgram]
	o.Places[playerProgram] = Place{Kind: File, Mode: 0o755, Text: []byte(wrapper(Program, keptPlayer))}
	for _, name := range linkNames() {
		o.Places["/bin/"+name] = Place{Kind: Link, Target: Program}
	}
	return o
}

func TestPlan(t *testing.T) {
	const (
		links = "link /bin/empegsync to /drive0/empegsync/empegsync\nlink /bin/rsync to /drive0/empegsync/empegsync\n" +
			"link /bin/reindex to /drive0/empegsync/empegsync\n"
		program = "copy the program to /drive0/empegsync/empegsync (7.0 MB)\n"
		wrap    = "make the folder /empeg/bin/empegsync\nkeep the player program as /empeg/bin/empegsync/player\n" +
			"write /empeg/bin/player (the boot hook, a wrapper around the player program)\n"
		all = "make the folder /drive0/empegsync\n" + program +
			"write /drive0/empegsync/empegsync.conf (the configuration, role master)\n" +
			"write /drive0/empegsync/reinstate (what to run after an upgrade)\n" + links
		hook = "write /etc/preinit.d/empegsync (the boot hook)\n"
	)
	tests := []struct {
		name   string
		from   Observed
		change func(o *Observed)
		want   string
		note   string
		wrong  string
	}{
		{"a bare player", bare(), nil, all + wrap, "", ""},
		{"a player with preinit.d", bare(), func(o *Observed) { o.Places[preinitFolder] = Place{Kind: Folderlike} }, all + hook, "", ""},
		{"neither", bare(), func(o *Observed) { delete(o.Places, playerProgram) }, all, "/drive0/empegsync/empegsync start", ""},
		{"a player that is no file", bare(), func(o *Observed) { o.Places[playerProgram] = Place{Kind: Link, Target: "x"} }, all, "@EXEC_ONCE", ""},
		{"complete", installed(), nil, "", "", ""},
		{"after an upgrade of the player", installed(), func(o *Observed) {
			delete(o.Places, playerFolder)
			delete(o.Places, keptPlayer)
			o.Places[playerProgram] = Place{Kind: File, Mode: 0o755, Size: 950_000, Inode: 99}
			for _, name := range linkNames() {
				delete(o.Places, "/bin/"+name)
			}
		}, links + wrap, "", ""},
		{"another player program beside a kept one", installed(), func(o *Observed) {
			o.Places[playerProgram] = Place{Kind: File, Mode: 0o755, Size: 950_000, Inode: 99}
		}, "keep the player program as /empeg/bin/empegsync/player\nwrite /empeg/bin/player (the boot hook, a wrapper around the player program)\n", "", ""},
		{"cut off before the wrapper", installed(), func(o *Observed) { o.Places[playerProgram] = o.Places[keptPlayer] },
			"write /empeg/bin/player (the boot hook, a wrapper around the player program)\n", "", ""},
		{"another version", installed(), func(o *Observed) { o.Source.Sum = "bb" },
			"keep the program that was there as /drive0/empegsync/empegsync.old\n" + program, "", ""},
		{"another version, cut off", installed(), func(o *Observed) {
			o.Source.Sum = "bb"
			o.Places[OldProgram] = o.Places[Program]
		}, program, "", ""},
		{"a third version while the first runs", installed(), func(o *Observed) {
			o.Source.Sum = "cc"
			o.OldRuns = true
			o.Places[OldProgram] = Place{Kind: File, Mode: 0o755, Inode: 30}
		}, "", "", "two upgrades in a row"},
		{"a wrapper of an older version", installed(), func(o *Observed) {
			o.Places[playerProgram] = Place{Kind: File, Mode: 0o755, Text: []byte("#!/bin/sh\n" + ours + "\nexec x\n")}
		}, "write /empeg/bin/player (the wrapper around the player program)\n", "", ""},
		{"the kept player is gone", installed(), func(o *Observed) { delete(o.Places, keptPlayer) }, "", "", "install the player's software anew"},
		{"a wrapper, and now preinit.d", installed(), func(o *Observed) { o.Places[preinitFolder] = Place{Kind: Folderlike} },
			hook + "put the player program back to /empeg/bin/player\nremove the folder /empeg/bin/empegsync\n", "", ""},
		{"somebody's hook", installed(), func(o *Observed) {
			o.Places[preinitFolder] = Place{Kind: Folderlike}
			o.Places[preinitHook] = Place{Kind: File, Mode: 0o755, Text: []byte("#!/bin/sh\n")}
		}, "", "", "is not ours"},
		{"the rsync of document 1", bare(), func(o *Observed) { o.Places["/bin/rsync"] = Place{Kind: File, Mode: 0o755} },
			strings.Replace(all, "link /bin/rsync to /drive0/empegsync/empegsync\n", "", 1) + wrap, "say \"empegsync rsync\"", ""},
		{"its configuration", bare(), func(o *Observed) { o.Places[stockConfig] = Place{Kind: File} }, all + wrap, "&include /etc/rsyncd.conf", ""},
		{"leftovers", installed(), func(o *Observed) { o.Leftovers = []string{"/bin/.rsync.empegsync-new-00000000"} },
			"remove /bin/.rsync.empegsync-new-00000000 (left by an installation that was cut off)\n", "", ""},
		{"a folder in the program's place", installed(), func(o *Observed) { o.Places[Program] = Place{Kind: Folderlike} }, "", "", "is no file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(&tt.from)
			}
			got, err := Plan(tt.from, Want{})
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Show(false)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if notes := strings.Join(got.Notes, "\n"); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
		})
	}
}

func TestPlanUninstall(t *testing.T) {
	o := installed()
	o.Running = []Process{{12, "empegsync"}}
	o.Places["/bin/rsync"] = Place{Kind: File, Mode: 0o755} // of somebody else
	o.Places[role.SecretsFile] = Place{Kind: File}
	got, err := PlanUninstall(o)
	if err != nil {
		t.Fatal(err)
	}
	want := `put the player program back to /empeg/bin/player
remove the folder /empeg/bin/empegsync
remove /bin/empegsync (a link)
remove /bin/reindex (a link)
end process 12 (empegsync)
remove /drive0/empegsync/reinstate
remove /drive0/empegsync/secrets
remove /drive0/empegsync/empegsync.conf
remove /drive0/empegsync/empegsync
remove the folder /drive0/empegsync
`
	if diff := cmp.Diff(want, got.Show(false)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	o.Places[Folder] = Place{Kind: Folderlike, Extra: []string{"/drive0/empegsync/notes"}}
	got, err = PlanUninstall(o)
	if err != nil || strings.Contains(got.Show(false), "remove the folder /drive0/") || len(got.Notes) != 1 {
		t.Errorf("with somebody's file: %v %q\n%s", err, got.Notes, got.Show(false))
	}
	if got, err := PlanUninstall(bare()); err != nil || len(got.Actions) > 0 {
		t.Errorf("of a bare player: %v\n%s", err, got.Show(false))
	}
	delete(o.Places, keptPlayer)
	if _, err := PlanUninstall(o); err == nil {
		t.Error("the wrapper would go without a player program to put in its place")
	}
}

func TestPlanReinstateNeedsTheProgram(t *testing.T) {
	if _, err := PlanReinstate(bare()); err == nil || !strings.Contains(err.Error(), "install anew") {
		t.Errorf("error %v", err)
	}
	if got, err := PlanReinstate(installed()); err != nil || len(got.Actions) > 0 {
		t.Errorf("of a complete one: %v\n%s", err, got.Show(false))
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(o *Observed)
		wrong  string // "" for none
		tooOld bool
		note   string
	}{
		{"a board", func(o *Observed) {
			o.System, o.Machine = true, Machine{Arch: "armv5tejl", Kernel: "6.1.0-49-versatile"}
		}, "", false, ""},
		{"StrongARM", func(o *Observed) {
			o.System, o.Machine = true, Machine{Arch: "armv4l", CPU: "StrongARM-1100 rev 9 (v4l)", Kernel: "2.2.17"}
		},
			"ARMv4 (StrongARM-1100 rev 9 (v4l))", true, ""},
		{"old kernel", func(o *Observed) { o.System, o.Machine = true, Machine{Arch: "armv5tel", Kernel: "2.6.32-5-kirkwood"} },
			"Linux 2.6.32-5-kirkwood", true, ""},
		{"the original player's disk in a PC", func(o *Observed) { o.Shell = &Binary{CPU: CPUARM, OldABI: true} }, "old ARM ABI", true, ""},
		{"a disk with an old kernel's modules", func(o *Observed) { o.Kernels = []string{"2.6.18", "2.4.9"} }, "Linux 2.", true, "cannot be told"},
		{"with a new one's as well", func(o *Observed) { o.Kernels = []string{"2.6.18", "4.1.0"} }, "", false, "cannot be told"},
		{"the PC's program for a board's disk", func(o *Observed) {
			o.Source.Binary = Binary{CPU: CPUX8664, Static: true}
			o.Shell = &Binary{CPU: CPUARM}
		}, "a program for 64-bit x86, but the programs of this player are for ARM; name the right one with --from", false, ""},
		{"with libraries", func(o *Observed) { o.Source.Static = false }, "CGO_ENABLED=0", false, ""},
		{"no drive", func(o *Observed) { o.Drive0 = false }, "nothing is mounted on /drive0", false, "cannot be told"},
		{"a full drive", func(o *Observed) { o.Drive.Free = 5 << 20 }, "drive0 has 5.0 MB free and 8.0 MB are needed", false, "cannot be told"},
		{"a full drive with this program", func(o *Observed) {
			o.Drive.Free = 0
			o.Places[Program] = Place{Kind: File, Sum: "aa"}
		}, "", false, "cannot be told"},
		{"no inodes", func(o *Observed) { o.Drive.Files = 3 }, "only 3 files more", false, "cannot be told"},
		{"no fixed number of inodes", func(o *Observed) { o.Drive.Files = -1 }, "", false, "cannot be told"},
		{"a full root", func(o *Observed) { o.Root.Free = 4096 }, "root file system is full", false, "cannot be told"},
		{"a file in the folder's place", func(o *Observed) { o.Places[Folder] = Place{Kind: File} }, "is no folder", false, "cannot be told"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := bare()
			tt.change(&o)
			notes, err := Check(o)
			var old *TooOld
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
			if errors.As(err, &old) != tt.tooOld {
				t.Errorf("too old: %v, want %v", err, tt.tooOld)
			}
			if err == nil && (strings.Contains(strings.Join(notes, ""), tt.note) == false || tt.note == "" && len(notes) > 0) {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
		})
	}
}

func TestParseCPU(t *testing.T) {
	tests := []struct {
		text    string
		name    string
		version int
	}{
		{"Processor\t: Intel StrongARM-1100 rev 9 (v4l)\nBogoMIPS\t: 207.66\n", "Intel StrongARM-1100 rev 9 (v4l)", 4},
		{"processor\t: 0\nmodel name\t: ARM926EJ-S rev 5 (v5l)\nCPU architecture: 5TEJ\n", "ARM926EJ-S rev 5 (v5l)", 5},
		{"Processor\t: ARMv7 Processor rev 1 (v7l)\nCPU architecture: 7\n", "ARMv7 Processor rev 1 (v7l)", 7},
		{"model name\t: Some x86\nflags\t: fpu\n", "Some x86", 0},
		{"", "", 0},
	}
	for _, tt := range tests {
		if name, version := ParseCPU([]byte(tt.text)); name != tt.name || version != tt.version {
			t.Errorf("%q: %q, %d", tt.text, name, version)
		}
	}
}
