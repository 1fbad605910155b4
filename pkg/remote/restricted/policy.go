package restricted

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Policy is what a key may do. Its zero value is rrsync's: read and write, with
// the options of its list.
type Policy struct {
	ReadOnly, WriteOnly bool
	// Munge makes symlinks useless where they are stored, and whole again for
	// clients (--munge-links).
	Munge bool
	// NoDelete keeps files from being deleted; new content they may get.
	NoDelete bool
	// NoOverwrite keeps what exists as it is (--ignore-existing).
	NoOverwrite bool
	// Append keeps every version: what is replaced is put aside, in a folder
	// whose name the client does not choose, and nothing is deleted.
	Append bool
	// Absolute takes a path that begins with the directory's own for one below
	// it, as rrsync -absolute does.
	Absolute bool
	// NoLock lets several sessions that may write run at once.
	NoLock bool
	// Allow and Deny name options as "refuse options" does, with wildcards.
	// What the other fields promise holds whatever is allowed.
	Allow, Deny []string
	// Quota bounds the sizes of a directory's files, in bytes; 0: no bound.
	Quota int64
}

// The options that rrsync 3.5.0 takes, besides those without which there is no
// transfer; what a client spells with a letter and a word is one option here.
const (
	acceptedLetters = "ACDEHIJNORSUWXbcdglmnopqrstuvxyz@B"
	acceptedWords   = `append backup-dir block-size bwlimit checksum-choice checksum-seed compare-dest compress-choice
		compress-level compress-threads copy-dest delay-updates delete delete-after delete-before delete-delay
		delete-during delete-excluded delete-missing-args dirs existing fake-super files-from force from0 fsync fuzzy group
		groupmap hard-links iconv ignore-errors ignore-existing ignore-missing-args ignore-times info inplace link-dest
		links list-only log-file log-format max-alloc max-delete max-size min-size mkpath modify-window msgs2stderr munge-links
		new-compress no-W no-implied-dirs no-msgs2stderr no-r no-relative no-specials numeric-ids old-compress
		one-file-system only-write-batch open-noatime owner partial partial-dir perms preallocate recursive
		remove-sent-files remove-source-files safe-links size-only skip-compress specials stats stderr suffix super
		temp-dir timeout times qsort usermap`
	// With these a client has links followed, which rrsync cannot confine. Here
	// they lead nowhere else, but the list is the same until it is asked for.
	followLinks = "copy-links keep-dirlinks copy-dirlinks copy-unsafe-links"
)

// What the restrictions refuse.
const (
	losesFiles     = "delete* del remove-* force"
	writesLogs     = "log-file*"
	reachesOthers  = "partial-dir delay-updates backup backup-dir suffix"
	writesInPlace  = "inplace append append-verify write-devices"
	takesRoomAhead = "preallocate"
)

// Check says what is wrong with a policy.
func (p *Policy) Check() error {
	switch {
	case p.ReadOnly && p.WriteOnly:
		return errors.New("-ro and -wo leave nothing to do: choose one")
	case p.ReadOnly && p.Append:
		return errors.New("-ro and -append leave nothing to do: choose one")
	case p.Append && p.NoOverwrite:
		return errors.New("-append keeps every version and -no-overwrite the first one: choose one")
	case p.Append && p.NoLock:
		return errors.New("-append needs its lock, so that each session has versions of its own: leave out -no-lock")
	case p.Quota < 0:
		return errors.New("-quota must be more than nothing")
	}
	for _, name := range append(slices.Clone(p.Allow), p.Deny...) {
		if strings.HasPrefix(name, "!") {
			return fmt.Errorf("%q: leave out the \"!\": -allow and -deny say what is meant", name)
		}
	}
	_, unmatched := options.NewKeyRefusal(append(slices.Clone(p.Allow), p.Deny...))
	if len(unmatched) > 0 {
		return fmt.Errorf("rsync has no option %q", strings.Join(unmatched, ", "))
	}
	return nil
}

// refusal compiles what a client's options are held against. whole says that
// the key's directory is the whole machine.
func (p *Policy) refusal(whole bool) options.Refusal {
	patterns := []string{"*", "copy-devices", "write-devices"} // the two by name, for wildcards pass them over
	accept := func(names string) {
		for _, n := range strings.Fields(names) {
			patterns = append(patterns, "!"+n)
		}
	}
	accept(strings.Join(strings.Split(acceptedLetters, ""), " "))
	accept(acceptedWords)
	if whole {
		accept(followLinks)
	}
	accept(strings.Join(p.Allow, " "))
	refuse := func(names string) { patterns = append(patterns, strings.Fields(names)...) }
	if p.ReadOnly || p.NoDelete || p.Append {
		refuse(losesFiles)
	}
	if p.NoOverwrite || p.Append {
		refuse(reachesOthers)
	}
	if p.ReadOnly || p.NoOverwrite || p.Append {
		refuse(writesLogs) // which may be a file that is there
	}
	if p.Append {
		refuse(writesInPlace)
	}
	if p.Quota > 0 {
		refuse(takesRoomAhead)
	}
	refuse(strings.Join(p.Deny, " "))
	r, _ := options.NewKeyRefusal(patterns)
	return r
}

// The folders that files in part may wait in where none may be lost: whatever
// lies in one is taken for such a file, used up and removed.
var partialDirs = []string{".rsync-partial", ".~tmp~"}

// judge says why the policy refuses a session, nil if it does not. words are
// those that opt is made of.
func (p *Policy) judge(opt *options.Options, words []string, whole bool) error {
	switch {
	case p.ReadOnly && !opt.Sender:
		return refuse("this key may only read")
	case p.WriteOnly && opt.Sender:
		return refuse("this key may only write")
	case p.WriteOnly && opt.FilesFrom != "" && opt.FilesFrom != "-":
		return refuse("this key may only write, so --files-from cannot name a file here")
	}
	if _, err := options.ParseServer(words, p.refusal(whole)); err != nil {
		var oe *options.Error
		if errors.As(err, &oe) && oe.Kind == options.Refused {
			return refuse("this key does not allow %s", oe.Option)
		}
		return proto.Fail(proto.ExitSyntax, err)
	}
	if !opt.Sender && p.NoDelete && opt.PartialDir != "" && !slices.Contains(partialDirs, opt.PartialDir) {
		return refuse("this key deletes nothing, so --partial-dir can only be %s", strings.Join(partialDirs, " or "))
	}
	return nil
}

// refuse is an error that the client is told.
func refuse(format string, args ...any) error {
	return proto.Failf(proto.ExitUnsupported, format, args...)
}
