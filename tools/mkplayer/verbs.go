package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// verb is one thing that mkplayer does.
type verb struct {
	name, args, about string
	run               func(v verb, args []string, out, errOut io.Writer) int
}

func verbs() []verb {
	return []verb{
		{"build", "[options] DIR", "lay out a player in DIR, which must be absent or empty", runBuild},
		{"mutate", "[-seed N] DIR", "edit the player's music as its owner does in a day", runMutate},
		{"compare", "DIR DIR", "say whether two players hold the same music", runCompare},
		{"start", "DIR", "load or rebuild the database as the player does at its start", runStart},
		{"leftovers", "DIR", "say whether interrupted transfers left temporary files", runLeftovers},
	}
}

func usage(errOut io.Writer) int {
	fmt.Fprintln(errOut, "usage: mkplayer VERB ...")
	for _, v := range verbs() {
		fmt.Fprintf(errOut, "  mkplayer %-24s %s\n", v.name+" "+v.args, v.about)
	}
	fmt.Fprintln(errOut, "mkplayer build -h lists the options of build")
	return 2
}

// flags makes the verb's flag set, which prints to errOut.
func (v verb) flags(errOut io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("mkplayer "+v.name, flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.Usage = func() {
		fmt.Fprintf(errOut, "usage: mkplayer %s %s\n%s\n", v.name, v.args, v.about)
		fs.PrintDefaults()
	}
	return fs
}

// parse reads flags and exactly n folders. If ok is false, code is the exit code.
func parse(fs *flag.FlagSet, args []string, n int) (dirs []string, code int, ok bool) {
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, 0, false
	} else if err != nil {
		return nil, 2, false
	}
	if fs.NArg() != n {
		fs.Usage()
		return nil, 2, false
	}
	return fs.Args(), 0, true
}

func fail(errOut io.Writer, err error) int {
	fmt.Fprintln(errOut, "mkplayer:", err)
	return 1
}

func runBuild(v verb, args []string, out, errOut io.Writer) int {
	var o playertest.Options
	fs := v.flags(errOut)
	fs.StringVar(&o.Name, "name", "empeg", "the player's own name")
	fs.IntVar(&o.Fids, "fids", 300, "FIDs in use, two files each")
	fs.Uint64Var(&o.Seed, "seed", 1, "what the music is made from; the same seed gives the same music")
	fs.IntVar(&o.Drives, "drives", 2, "1 or 2")
	fs.Func("layout", "mixed, flat or split file names (default mixed)", func(s string) (err error) {
		o.Layout, err = playertest.ParseLayout(s)
		return err
	})
	fs.Func("release", "v2 or v3 of the player's software (default v3)", func(s string) (err error) {
		o.Release, err = playertest.ParseRelease(s)
		return err
	})
	bodies := fs.String("bodies", "auto", "a folder of sound files, auto for the sound theme if installed, or none for sine waves")
	dirs, code, ok := parse(fs, args, 1)
	if !ok {
		return code
	}
	what := "sine waves"
	switch *bodies {
	case "none":
	case "auto":
		o.Bodies = playertest.SystemSounds()
	default:
		if o.Bodies = playertest.Sounds(*bodies); len(o.Bodies) == 0 {
			return fail(errOut, fmt.Errorf("no *.oga, *.ogg or *.wav in %s", *bodies))
		}
	}
	if len(o.Bodies) > 0 {
		what = fmt.Sprintf("%d sound files in turn", len(o.Bodies))
	}
	if err := playertest.Build(dirs[0], o); err != nil {
		return fail(errOut, err)
	}
	r, err := playertest.Start(dirs[0])
	if err != nil {
		return fail(errOut, err)
	}
	fmt.Fprintf(out, "player %q: %d tunes, %d playlists; the sound: %s\n", o.Name, r.Tunes, r.Playlists, what)
	return 0
}

func runMutate(v verb, args []string, out, errOut io.Writer) int {
	fs := v.flags(errOut)
	seed := fs.Uint64("seed", 1, "what the day is made from")
	dirs, code, ok := parse(fs, args, 1)
	if !ok {
		return code
	}
	day, err := playertest.Mutate(dirs[0], *seed)
	if err != nil {
		return fail(errOut, err)
	}
	fmt.Fprintln(out, "a day of edits:", day)
	return 0
}

func runCompare(v verb, args []string, out, errOut io.Writer) int {
	dirs, code, ok := parse(v.flags(errOut), args, 2)
	if !ok {
		return code
	}
	if err := playertest.Compare(dirs[0], dirs[1]); err != nil {
		return fail(errOut, err)
	}
	fmt.Fprintln(out, "equal: names, bytes, modes and times of both drives' fids")
	return 0
}

func runStart(v verb, args []string, out, errOut io.Writer) int {
	dirs, code, ok := parse(v.flags(errOut), args, 1)
	if !ok {
		return code
	}
	r, err := playertest.Start(dirs[0])
	if err != nil {
		return fail(errOut, err)
	}
	fmt.Fprintln(out, "the player starts:", r)
	return 0
}

func runLeftovers(v verb, args []string, out, errOut io.Writer) int {
	dirs, code, ok := parse(v.flags(errOut), args, 1)
	if !ok {
		return code
	}
	found, err := playertest.TempLeftovers(dirs[0])
	if err != nil {
		return fail(errOut, err)
	}
	if len(found) > 0 {
		return fail(errOut, fmt.Errorf("temporary files are left: %s", strings.Join(found, ", ")))
	}
	fmt.Fprintln(out, "no temporary file is left")
	return 0
}
