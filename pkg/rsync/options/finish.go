package options

import "strings"

// TransferDirs says whether directories are part of the transfer.
// // options.c: xfer_dirs
func (o *Options) TransferDirs() bool {
	return o.Recurse || o.Dirs == DirsYes || o.Dirs == DirsUnset && (o.ListOnly != ListNo || o.FilesFrom != "")
}

// finish settles what depends on several options and looks for contradictions.
func (s *state) finish() *Error {
	if s.mode == server {
		if s.Help || s.Version > 0 {
			return syntaxError("on remote machine: --help and --version are for people, not for a server")
		}
		if !s.dotted && !s.Incomplete {
			return syntaxError("on remote machine: the argument list lacks the \".\" before the paths")
		}
		if s.Iconv == "" && s.refuse.refused["no-iconv"] {
			return refusedError("--no-iconv") // not asking for it is what is refused
		}
	} else if s.ListOnly == ListNo && len(s.Args) < 2 && s.ReadBatch == "" {
		s.ListOnly = ListImplied
	}
	if s.InsecureLinks && s.ConfineRoot != "" {
		return syntaxError("%s--insecure-links cannot be combined with --confine-root", s.remote())
	}
	if s.MaxDelete.Set && s.MaxDelete.Value < 0 {
		s.MaxDelete.Value = 0 // "no deletions"; -1 is how clients say 0
	}
	if err := s.finishBatch(); err != nil {
		return err
	}
	if err := s.finishChecksum(); err != nil {
		return err
	}
	if err := s.finishSelection(); err != nil {
		return err
	}
	if err := s.finishDelete(); err != nil {
		return err
	}
	return s.finishFiles()
}

// finishDelete finds the moment of deleting. // options.c:parse_arguments
func (s *state) finishDelete() *Error {
	moments := 0
	for _, m := range []struct {
		on   bool
		mode DeleteMode
	}{{s.deleteBefore, DeleteBefore}, {s.deleteDuring != DeleteNone, s.deleteDuring}, {s.deleteAfter, DeleteAfter}} {
		if m.on {
			s.Delete = m.mode
			moments++
		}
	}
	if moments > 1 {
		return syntaxError("%sYou may not combine multiple --delete-WHEN options.", s.remote())
	}
	if moments == 0 && (s.delete || s.DeleteExcluded) {
		s.Delete = DeleteDefault
		before, during := s.refuse.refused["delete-before"], s.refuse.refused["delete-during"]
		switch {
		case before && during:
			return refusedError("--delete-before")
		case before:
			s.Delete = DeleteDuring
		case during:
			s.Delete = DeleteBefore
		}
	}
	if s.RemoveSource != RemoveNone && s.Sender && s.refuse.refused["delete"] {
		return refusedError("--delete") // that removes at a sender
	}
	switch {
	case s.Delete == DeleteNone:
	case !s.TransferDirs():
		return syntaxError("%s--delete does not work without --recursive (-r) or --dirs (-d).", s.remote())
	case s.refuse.refused["delete"]:
		return refusedError("--delete")
	}
	return nil
}

// finishChecksum settles --checksum-choice. Whether the names are known is for
// the checksum package to say. // checksum.c:parse_checksum_choice
func (s *state) finishChecksum() *Error {
	transfer, other, two := strings.Cut(strings.ToLower(s.ChecksumChoice), ",")
	if !two {
		other = transfer
	}
	switch {
	case transfer == "auto" && other == "auto":
		s.ChecksumChoice = ""
	case transfer == "none":
		s.WholeFile = Yes // without a sum there is no delta
	}
	return nil
}

// finishDaemon is finish for a command line with --daemon.
func (s *state) finishDaemon() *Error {
	if !s.Daemon && !s.Help {
		return syntaxError("Daemon option(s) used without --daemon.")
	}
	if s.Server && len(s.Args) > 0 && s.Args[0] == "." {
		s.Args = s.Args[1:] // how a client ends the list over a remote shell
	}
	return nil
}
