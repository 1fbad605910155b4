package install

import (
	"errors"
	"fmt"
)

// reserve is what has to stay free on each file system, in bytes: for the links,
// the scripts, and what the player itself writes.
const (
	driveReserve = 1 << 20
	rootReserve  = 64 << 10
	filesReserve = 8 // inodes: music disks have few
)

// Check says whether the program can be installed. A *TooOld among the errors
// means that it never can, see StockAdvice. What could not be found out is told
// in notes.
func Check(o Observed) (notes []string, err error) {
	if err := checkTarget(o); err != nil {
		return nil, err
	}
	var errs []error
	if !o.Drive0 {
		errs = append(errs, errors.New("there is no drive0 with fids on it, and nothing is mounted on /drive0: is this a player, and is its drive mounted?"))
	}
	for _, name := range []string{Folder, playerFolder} {
		if k := o.Places[name].Kind; k != Absent && k != Folderlike {
			errs = append(errs, fmt.Errorf("%s is there, but is no folder; look at it and move it away", name))
		}
	}
	need := o.Source.Size + driveReserve
	if p := o.Places[Program]; p.Sum == o.Source.Sum {
		need = 0
	}
	if o.Drive0 && o.Drive.Free < need {
		errs = append(errs, fmt.Errorf("drive0 has %s free and %s are needed", megabytes(o.Drive.Free), megabytes(need)))
	}
	if o.Drive.Files >= 0 && o.Drive.Files < filesReserve {
		errs = append(errs, fmt.Errorf("drive0 can hold only %d files more, and %d are needed (inodes: df -i)", o.Drive.Files, filesReserve))
	}
	if o.Root.Free < rootReserve || o.Root.Files >= 0 && o.Root.Files < filesReserve {
		errs = append(errs, fmt.Errorf("the root file system is full: %s free, links and the boot hook need %s", megabytes(o.Root.Free), megabytes(rootReserve)))
	}
	if !o.System && o.Shell == nil {
		notes = append(notes, "there is no program in /bin, so what processor and system this disk is for cannot be told")
	}
	return notes, errors.Join(errs...)
}

// checkTarget looks whether the program and the player fit each other.
func checkTarget(o Observed) error {
	if o.System {
		if err := CheckMachine(o.Machine); err != nil {
			return err
		}
	}
	if o.Shell != nil && o.Shell.OldABI {
		return &TooOld{"programs for the old ARM ABI, as on the original player (StrongARM, Linux 2.2)"}
	}
	if !o.System && len(o.Kernels) > 0 {
		var last error
		fits := false
		for _, release := range o.Kernels {
			err := checkKernel(release)
			fits = fits || err == nil
			if err != nil {
				last = err
			}
		}
		if !fits {
			return last
		}
	}
	if o.Shell != nil && !o.Source.runsOn(*o.Shell) {
		return fmt.Errorf("%s is a program for %s, but the programs of this player are for %s; name the right one with --from",
			o.Source.Path, o.Source.Binary, *o.Shell)
	}
	if !o.Source.Static {
		return fmt.Errorf("%s needs libraries that a player does not have; take one that was built with CGO_ENABLED=0", o.Source.Path)
	}
	return nil
}

// megabytes writes a size for people.
func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
