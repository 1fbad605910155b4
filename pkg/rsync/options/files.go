package options

import (
	"path"
	"strings"
)

// Files says how a receiving side puts files into their places and what else
// it looks at. Folders are as the user wrote them: relative ones lie below the
// destination.
type Files struct {
	Backup bool // -b: what is replaced or deleted is kept
	// BackupDir is where, "" for beside the file.
	BackupDir string
	// Suffix ends the names of backups; not empty where Backup is set and
	// BackupDir is not.
	Suffix string

	Partial bool // what has come of a file is kept; PartialDir and DelayUpdates imply it
	// PartialDir is where, "" for under the file's own name. See KeepDir.
	PartialDir   string
	DelayUpdates bool
	// Inplace: files are written into, not replaced. It comes with Append and
	// WriteDevices.
	Inplace bool
	Append  AppendMode
	TempDir string // where files are made, "" for beside their places

	Alternative AltKind  // what AltDirs are for
	AltDirs     []string // --compare-dest and its kin, in order; at most 20
	Fuzzy       int      // counts -y: 1 looks in the file's folder, 2 in AltDirs too

	Sparse       bool // -S: runs of zeros become holes
	Preallocate  bool // space is reserved first
	WriteDevices bool // the destination's devices are written into
	DropDevices  bool // the destination gets no devices and specials
	CopyDevices  bool // the source's devices are read as files
	MkPath       bool // the destination's parents are made
}

// AppendMode says whether files that are shorter than the sender's are taken
// for their beginnings.
type AppendMode uint8

// The modes: no, --append, --append-verify.
const (
	AppendNo AppendMode = iota
	AppendTrust
	AppendVerify
)

// AltKind says what a file in another folder that is as it should be is for.
type AltKind uint8

// The kinds: nothing, --compare-dest, --copy-dest, --link-dest.
const (
	AltNone AltKind = iota
	AltCompare
	AltCopy
	AltLink
)

// Option gives the option that asks for the kind.
func (k AltKind) Option() string {
	return [...]string{"", "--compare-dest", "--copy-dest", "--link-dest"}[k]
}

// MaxAltDirs is how many folders --compare-dest and its kin may name.
// // rsync.h:MAX_BASIS_DIRS
const MaxAltDirs = 20

const (
	backupSuffix = "~"        // rsync.h:BACKUP_SUFFIX
	delayDir     = ".~tmp~"   // options.c:tmp_partialdir
	maxPathArg   = 4096 - 128 // bytes of a folder's name that leave room for a file's
)

func fileRows() []row {
	return []row{
		flag("inplace", "", "write into the destination's files (an interrupted run leaves them torn)",
			func(o *Options) *bool { return &o.Inplace }).from("2.6.3").noLong().argsToServer(150, inplaceWords),
		value("append", "", "", "append to shorter files", appendMode).from("2.6.7").noLong().
			undo(func(s *state, _ string) *Error { s.Append = AppendNo; return nil }),
		value("append-verify", "", "", "--append that checks the old part too",
			func(s *state, _ string) *Error { s.Append = AppendVerify; return nil }).from("3.0.0"),
		flag("partial", "", "keep files that were transferred in part",
			func(o *Options) *bool { return &o.Partial }).noLong().argsToServer(133, partialWords),
		value("partial-dir", "", "DIR", "keep files transferred in part in DIR", text(func(o *Options) *string { return &o.PartialDir })).
			from("2.6.3"),
		flag("delay-updates", "", "put all files in place at the end", func(o *Options) *bool { return &o.DelayUpdates }).
			from("2.6.4").noLong(),
		flag("backup", "b", "keep what is replaced or deleted", func(o *Options) *bool { return &o.Backup }).
			noLong().letter(4, anySide),
		value("backup-dir", "", "DIR", "keep it in DIR", text(func(o *Options) *string { return &o.BackupDir })).argsToServer(110, backupDirWords),
		value("suffix", "", "SUFFIX", "keep it under a name with SUFFIX",
			func(s *state, arg string) *Error { s.suffix = &arg; return nil }).toServer(111, suffixWord),
		value("temp-dir", "T", "DIR", "create temporary files in DIR", text(func(o *Options) *string { return &o.TempDir })).
			asDaemon("T").argsToServer(142, onPush("--temp-dir", func(o *Options) string { return o.TempDir })),
		value("compare-dest", "", "DIR", "compare with files in DIR too", altDir(AltCompare)).argsToServer(144, altWords),
		value("copy-dest", "", "DIR", "... and copy from there", altDir(AltCopy)).from("2.6.4"),
		value("link-dest", "", "DIR", "... and hard link to them", altDir(AltLink)).from("2.5.6"),
		count("fuzzy", "y", "look for a similar file to compare with", func(o *Options) *int { return &o.Fuzzy }).from("2.6.4").
			no().undo(func(s *state, _ string) *Error { s.Fuzzy = 0; return nil }).toServer(13, fuzzyLetters),
		flag("sparse", "S", "write runs of zeros as holes", func(o *Options) *bool { return &o.Sparse }).no().letter(38, anySide),
		flag("preallocate", "", "reserve space before writing", func(o *Options) *bool { return &o.Preallocate }).
			from("3.1.0").word(158, onlyPush),
		flag("write-devices", "", "write into devices like files", func(o *Options) *bool { return &o.WriteDevices }).
			from("3.2.0").noLong().word(156, onlyPush),
		flag("copy-devices", "", "copy what a device holds like a file", func(o *Options) *bool { return &o.CopyDevices }).
			from("3.2.4").word(161, onlyPull),
		flag("mkpath", "", "create the destination's parent directories", func(o *Options) *bool { return &o.MkPath }).
			from("3.2.3").noLong().word(160, onlyPush),
	}
}

// appendMode is --append; a client asks a server to verify by saying it twice.
func appendMode(s *state, _ string) *Error {
	if s.mode == server && s.Append != AppendNo {
		s.Append = AppendVerify
		return nil
	}
	s.Append = AppendTrust
	return nil
}

func altDir(k AltKind) action {
	return func(s *state, arg string) *Error {
		switch {
		case s.Alternative != AltNone && s.Alternative != k:
			return syntaxError("%sERROR: the %s option conflicts with the %s option", s.remote(), k.Option(), s.Alternative.Option())
		case len(s.AltDirs) >= MaxAltDirs:
			return syntaxError("%sERROR: at most %d %s args may be specified", s.remote(), MaxAltDirs, k.Option())
		}
		s.Alternative = k
		s.AltDirs = append(s.AltDirs, arg)
		return nil
	}
}

// finishFiles settles what Files holds. // options.c:parse_arguments
func (s *state) finishFiles() *Error {
	if len(s.TempDir) > maxPathArg {
		return syntaxError("%sthe --temp-dir path is WAY too long.", s.remote())
	}
	if err := s.finishBackup(); err != nil {
		return err
	}
	if s.Append != AppendNo {
		if s.WholeFile == Yes {
			return syntaxError("%s--append cannot be used with --whole-file", s.remote())
		}
		s.Inplace = true
	}
	s.Inplace = s.Inplace || s.WriteDevices
	switch {
	case s.Inplace && (s.Append != AppendNo || s.WriteDevices) && s.refuse.refused["inplace"]:
		return refusedError("--inplace")
	case s.Inplace && s.refuse.refused["partial"]: // it leaves partial files as well
		return refusedError("--partial")
	}
	return s.finishPartial()
}

func (s *state) finishBackup() *Error {
	given := s.BackupDir != ""
	if given {
		s.Backup = true
		for strings.HasPrefix(s.BackupDir, "./") {
			s.BackupDir = s.BackupDir[2:]
		}
		if s.BackupDir == "." {
			s.BackupDir = ""
		}
	}
	switch {
	case len(s.BackupDir) > maxPathArg:
		return syntaxError("%sthe --backup-dir path is WAY too long.", s.remote())
	case s.suffix != nil:
		s.Suffix = *s.suffix
	case s.Backup && !given:
		s.Suffix = backupSuffix
	}
	switch {
	case strings.Contains(s.Suffix, "/"):
		return syntaxError("%s--suffix cannot contain slashes: %s", s.remote(), s.Suffix)
	case s.BackupDir != "" || s.Suffix != "" || s.Server && s.Sender || !s.Backup && s.suffix == nil:
		return nil
	case given:
		return syntaxError("%s--suffix cannot be empty when --backup-dir is the same as the dest dir", s.remote())
	}
	return syntaxError("%s--suffix cannot be empty without a --backup-dir", s.remote())
}

func (s *state) finishPartial() *Error {
	if s.Inplace {
		if s.PartialDir != "" || s.DelayUpdates {
			one, other := "inplace", "partial-dir"
			if s.Append != AppendNo {
				one = "append"
			}
			if s.DelayUpdates {
				other = "delay-updates"
			}
			return syntaxError("%s--%s cannot be used with --%s", s.remote(), one, other)
		}
		s.Partial = false // what has come stays in any case
		return nil
	}
	if s.DelayUpdates {
		s.Partial = true
	}
	if s.PartialDir == "" {
		return nil
	}
	s.SetPartialDir(s.PartialDir)
	if s.PartialDir == "" && s.refuse.refused["partial"] {
		return refusedError("--partial")
	}
	return nil
}

// SetPartialDir sets the folder of partial files, as --partial-dir does; one
// that is the destination's own is none. A caller may use it for the value of
// RSYNC_PARTIAL_DIR where there is --partial alone.
func (o *Options) SetPartialDir(dir string) {
	o.Partial = true
	if dir != "" {
		dir = path.Clean(dir)
	}
	if dir == "." {
		dir = ""
	}
	o.PartialDir = dir
}

// KeepDir gives the folder of partial files, which is where files wait for
// the end with DelayUpdates; "" for none.
func (o *Options) KeepDir() string {
	if o.DelayUpdates && o.PartialDir == "" {
		return delayDir
	}
	return o.PartialDir
}

// What is sent.

func backupDirWords(o *Options, _ Peer) []string {
	if o.BackupDir == "" {
		return nil
	}
	return []string{"--backup-dir", o.BackupDir}
}

func suffixWord(o *Options, _ Peer) string {
	usual := backupSuffix
	if o.BackupDir != "" {
		usual = ""
	}
	if o.Suffix == usual || o.Suffix == "" {
		return ""
	}
	return "--suffix=" + o.Suffix
}

// onPush sends an option and its argument to a receiving server.
func onPush(name string, f func(*Options) string) func(*Options, Peer) []string {
	return func(o *Options, p Peer) []string {
		if arg := f(o); p.Push && arg != "" {
			return []string{name, arg}
		}
		return nil
	}
}

// partialWords tells a receiving server what it is to do with partial files.
func partialWords(o *Options, p Peer) []string {
	var words []string
	if !p.Push {
		return nil
	}
	if o.PartialDir != "" {
		words = append(words, "--partial-dir", o.PartialDir)
	}
	switch {
	case o.DelayUpdates:
		words = append(words, "--delay-updates")
	case o.Partial && o.PartialDir == "":
		words = append(words, "--partial")
	}
	return words
}

func altWords(o *Options, p Peer) []string {
	var words []string
	if p.Push {
		for _, d := range o.AltDirs {
			words = append(words, o.Alternative.Option(), d)
		}
	}
	return words
}

// fuzzyLetters says it twice only where there are other folders to look in.
func fuzzyLetters(o *Options, p Peer) string {
	if !p.Push {
		return ""
	}
	return strings.Repeat("y", min(o.Fuzzy, 1+len(o.AltDirs), 2))
}

// inplaceWords also has an older server take no whole files where that keeps
// it from making holes.
func inplaceWords(o *Options, p Peer) []string {
	switch {
	case o.Append == AppendTrust:
		return []string{"--append"}
	case o.Append == AppendVerify:
		return []string{"--append", "--append"}
	case o.Inplace && o.Sparse && o.WholeFile == No && p.Push:
		return []string{"--inplace", "--no-W"}
	case o.Inplace:
		return []string{"--inplace"}
	}
	return nil
}
