package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/empegsync/empegsync/pkg/role"
)

// Want is what an installation shall be.
type Want struct {
	Role   role.Role // of a new configuration; one that is there is kept
	Master string    // likewise
}

// Planned is what is to be done, and what a person should know.
type Planned struct {
	Actions []Action
	Notes   []string
}

// Plan returns what leads from what was observed to an installation: nothing, if
// it is complete. Check has been asked before.
func Plan(o Observed, want Want) (Planned, error) {
	var p Planned
	p.clean(o)
	if k := o.Places[Folder].Kind; k == Absent {
		p.add(MakeFolder{Folder})
	}
	if err := p.program(o); err != nil {
		return Planned{}, err
	}
	if config := o.Places[Config]; config.Kind == Absent {
		p.add(PutFile{Name: Config, Mode: 0o644, Text: []byte(defaultConfig(want, o.Drives)), What: "the configuration, role " + want.Role.String()})
		if o.Places[stockConfig].Kind != Absent {
			p.note("%s is there; from now on %s is read instead (put \"&include %s\" into it to keep those modules)", stockConfig, Config, stockConfig)
		}
	}
	if err := p.reinstate(o); err != nil {
		return Planned{}, err
	}
	return p, nil
}

// PlanReinstate returns what an upgrade of the player's software has taken away:
// the links and the hook. It needs no source.
func PlanReinstate(o Observed) (Planned, error) {
	if o.Places[Program].Kind != File {
		return Planned{}, fmt.Errorf("%s is not there: install anew", Program)
	}
	var p Planned
	p.clean(o)
	return p, p.reinstate(o)
}

// reinstate plans what lies outside of the program itself.
func (p *Planned) reinstate(o Observed) error {
	p.script(o, Reinstate, reinstateScript(), "what to run after an upgrade")
	for _, name := range linkNames() {
		p.link(o, path.Join(o.Bin, name))
	}
	return p.hook(o)
}

func (p *Planned) add(a Action) { p.Actions = append(p.Actions, a) }
func (p *Planned) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}
func sameScript(place Place, text string) bool {
	return place.Kind == File && string(place.Text) == text && place.Mode == 0o755
}
func isProgram(place Place) bool { return place.Kind == File && place.Mode&0o111 != 0 }
func wrapped(place Place) bool   { return place.Kind == File && isOurs(place.Text) }
func (p *Planned) clean(o Observed) {
	for _, name := range slices.Sorted(slices.Values(o.Leftovers)) {
		p.add(Remove{name, "left by an installation that was cut off"})
	}
}

// program plans the program. The one before stays under another name: it may be
// running, and a file that runs without a name would keep the drive from being
// made read-only.
func (p *Planned) program(o Observed) error {
	now, old := o.Places[Program], o.Places[OldProgram]
	switch {
	case now.Kind == File && now.Sum == o.Source.Sum && now.Size == o.Source.Size && now.Mode == 0o755:
		return nil
	case now.Kind != Absent && now.Kind != File:
		return fmt.Errorf("%s is there, but is no file; look at it and move it away", Program)
	case now.Kind == Absent:
	case old.Kind == File && old.Inode == now.Inode: // cut off right here the last time
	case o.OldRuns:
		return errors.New("two upgrades in a row: the program before the last still runs. Restart the player, or end it (empegsync start), then install again")
	default:
		p.add(SecondName{From: Program, To: OldProgram, What: "the program that was there"})
	}
	p.add(PutProgram{Name: Program, From: o.Source.Path, Size: o.Source.Size, Sum: o.Source.Sum})
	return nil
}

// script plans a script of ours.
func (p *Planned) script(o Observed, name, text, what string) {
	if !sameScript(o.Places[name], text) {
		p.add(PutFile{Name: name, Mode: 0o755, Text: []byte(text), What: what})
	}
}

// link plans one name on the path. What others have laid there stays.
func (p *Planned) link(o Observed, name string) {
	switch place := o.Places[name]; {
	case place.Kind == Absent:
		p.add(MakeLink{Name: name, Target: linkTarget()})
	case place.Kind == Link && place.Target == linkTarget():
	default:
		p.note("%s is there already and stays as it is; say \"empegsync %s\" for this program", name, path.Base(name))
	}
}

// hook plans what starts the program at boot: last of all, when everything that
// it needs is there.
func (p *Planned) hook(o Observed) error {
	real := o.Places[playerProgram]
	switch {
	case o.Places[preinitFolder].Kind == Folderlike:
		hook := o.Places[preinitHook]
		if hook.Kind != Absent && !wrapped(hook) {
			return fmt.Errorf("%s is there and is not ours; look at it and move it away", preinitHook)
		}
		p.script(o, preinitHook, preinit(Program), "the boot hook")
		if wrapped(real) { // of an installation before there was a preinit.d
			p.unwrap(o)
		}
	case wrapped(real):
		if !isProgram(o.Places[keptPlayer]) {
			return fmt.Errorf("%s is our wrapper, but the player program %s is gone: install the player's software anew, then run reinstate", playerProgram, keptPlayer)
		}
		p.script(o, playerProgram, wrapper(Program, keptPlayer), "the wrapper around the player program")
	case isProgram(real):
		p.wrap(o)
	default:
		p.note("this player has neither %s nor a program %s, so nothing starts empegsync at boot. Add this line to what runs at boot, before the player:\n  %s\n"+
			"With the Hijack kernel, in the section [hijack] of config.ini:\n  ;@EXEC_ONCE %s", preinitFolder, playerProgram, ByHand, ByHand)
	}
	return nil
}

// wrap puts the wrapper into the player program's place. At no moment is there no
// player program under its name.
func (p *Planned) wrap(o Observed) {
	if o.Places[playerFolder].Kind == Absent {
		p.add(MakeFolder{playerFolder})
	}
	if kept := o.Places[keptPlayer]; kept.Kind != File || kept.Inode != o.Places[playerProgram].Inode {
		p.add(SecondName{From: playerProgram, To: keptPlayer, What: "the player program"})
	}
	p.add(PutFile{Name: playerProgram, Mode: 0o755, Text: []byte(wrapper(Program, keptPlayer)), What: "the boot hook, a wrapper around the player program"})
}

// unwrap gives the player program its name back.
func (p *Planned) unwrap(o Observed) {
	if wrapped(o.Places[playerProgram]) && isProgram(o.Places[keptPlayer]) {
		p.add(Rename{From: keptPlayer, To: playerProgram, What: "put the player program back to"})
	} else if o.Places[keptPlayer].Kind != Absent {
		p.add(Remove{keptPlayer, "no longer needed"})
	}
	if o.Places[playerFolder].Kind != Absent {
		p.add(RemoveFolder{playerFolder})
	}
}

// PlanUninstall returns what puts everything back. The hook goes first, so that
// nothing starts what is no longer there.
func PlanUninstall(o Observed) (Planned, error) {
	var p Planned
	p.clean(o)
	if wrapped(o.Places[playerProgram]) && !isProgram(o.Places[keptPlayer]) {
		return Planned{}, fmt.Errorf("%s is our wrapper, but the player program %s is gone: install the player's software anew, then uninstall", playerProgram, keptPlayer)
	}
	if wrapped(o.Places[preinitHook]) {
		p.add(Remove{preinitHook, "the boot hook"})
	}
	p.unwrap(o)
	for _, name := range linkNames() {
		full := path.Join(o.Bin, name)
		if place := o.Places[full]; place.Kind == Link && place.Target == linkTarget() {
			p.add(Remove{full, "a link"})
		}
	}
	for _, process := range o.Running {
		p.add(Stop{process})
	}
	for _, name := range []string{Reinstate, role.SecretsFile, role.PasswordFile, Config, OldProgram, Program} {
		if o.Places[name].Kind != Absent {
			p.add(Remove{name, ""})
		}
	}
	switch folder := o.Places[Folder]; {
	case folder.Kind == Absent:
	case len(folder.Extra) > 0:
		p.note("%s stays: there are files in it that were not installed (%s)", Folder, folder.Extra[0])
	default:
		p.add(RemoveFolder{Folder})
	}
	return p, nil
}

// text reports whether an action lays down a text, for showing it.
func text(a Action) (name string, content []byte, ok bool) {
	put, ok := a.(PutFile)
	if !ok || put.Secret {
		return "", nil, false
	}
	return put.Name, bytes.TrimRight(put.Text, "\n"), true
}

// Show writes a plan in lines, with the texts of all files that it would write if
// texts is set.
func (p Planned) Show(texts bool) string {
	var b bytes.Buffer
	for _, a := range p.Actions {
		fmt.Fprintln(&b, a)
		if _, content, ok := text(a); ok && texts {
			for line := range bytes.Lines(content) {
				fmt.Fprintf(&b, "    | %s\n", bytes.TrimRight(line, "\n"))
			}
		}
	}
	return b.String()
}

// executable is the mode of what is run.
const executable fs.FileMode = 0o755
