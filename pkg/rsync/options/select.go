package options

import "strings"

// What is selected: paths and lists of names.

// askRecurse remembers that recursion was asked for by name: then it holds
// with --files-from, too. // options.c:parse_arguments
func askRecurse(s *state, _ string) *Error { s.recurseImplied = false; return nil }

func setRelative(t Tri) action {
	return func(s *state, _ string) *Error { s.relative = t; return nil }
}

func setNoImpliedDirs(off bool) action {
	return func(s *state, _ string) *Error { s.NoImpliedDirs = off; return nil }
}

func noOneFileSystem(s *state, _ string) *Error { s.OneFileSystem = 0; return nil }

// setMissingArgs: where both are asked for, deleting holds.
func setMissingArgs(m MissingArgs) action {
	return func(s *state, _ string) *Error { s.MissingArgs = max(s.MissingArgs, m); return nil }
}

func setRemoveSource(m RemoveMode) action {
	return func(s *state, _ string) *Error { s.RemoveSource = m; return nil }
}

func removeSourceWord(o *Options, _ Peer) string { return o.RemoveSource.Option() }

// finishSelection settles --files-from and what it implies.
func (s *state) finishSelection() *Error {
	if s.Dirs == DirsOld { // options.c: xfer_dirs >= 4
		s.Rules = append(s.Rules, Rule{RuleFilter, "- /*/*"})
		s.Recurse, s.Dirs = true, DirsYes
	}
	s.Relative = s.relative.Or(s.FilesFrom != "")
	if s.FilesFrom == "" {
		return nil
	}
	if s.recurseImplied {
		s.Recurse = false
	}
	if s.mode == server {
		if strings.HasPrefix(s.FilesFrom, ":") {
			return syntaxError("The --files-from sent to the server cannot specify a host.")
		}
		return nil
	}
	if len(s.Args) != 2 {
		return syntaxError("--files-from takes one folder for the names to start from and one destination")
	}
	host, name, remote := hostSpec(s.FilesFrom)
	if !remote {
		return nil
	}
	s.FilesFromHost, s.FilesFromRemote, s.FilesFrom = host, true, name
	if name == "-" || name == "" {
		return syntaxError("Invalid --files-from remote filename")
	}
	return nil
}

// hostSpec takes HOST:FILE, :FILE, HOST::FILE and rsync://HOST/FILE apart; a
// user's name stays with the host. // options.c:check_for_hostspec
func hostSpec(text string) (host, name string, ok bool) {
	const scheme = "rsync://"
	if len(text) > len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		host, name, _ = strings.Cut(text[len(scheme):], "/")
		return host, "/" + name, true
	}
	host, name, ok = strings.Cut(text, ":")
	if !ok || strings.Contains(host, "/") {
		return "", "", false
	}
	return host, strings.TrimPrefix(name, ":"), true
}

// TakesNames says whether the names of --files-from come to the sending side
// from the other one; sender says that this is the sending side.
func (o *Options) TakesNames(sender bool) bool {
	if !sender || o.FilesFrom == "" {
		return false
	}
	if o.Server {
		return o.FilesFrom == "-"
	}
	return o.FilesFromRemote
}

// GivesNames says whether this side, which receives, has the list of
// --files-from and hands it to the sending one.
func (o *Options) GivesNames(sender bool) bool {
	return !sender && o.FilesFrom != "" && !o.FilesFromRemote && !(o.Server && o.FilesFrom == "-")
}

// What is sent.

func relativeLetter(o *Options, _ Peer) string {
	if o.Relative {
		return "R"
	}
	return ""
}

// tellsNames says whether the server has to do with the list of names.
func (o *Options) tellsNames(p Peer) bool { return o.FilesFrom != "" && (!p.Push || o.FilesFromRemote) }

func filesFromWord(o *Options, p Peer) string {
	switch {
	case !o.tellsNames(p):
		return ""
	case o.FilesFromRemote:
		return "--files-from"
	}
	return "--files-from=-"
}

func filesFromName(o *Options, p Peer) string {
	if o.tellsNames(p) && o.FilesFromRemote {
		return o.FilesFrom
	}
	return ""
}

func filesFromZeros(o *Options, p Peer) string {
	if o.tellsNames(p) && (o.From0 || !o.FilesFromRemote) {
		return "--from0"
	}
	return ""
}

func noRelativeWord(o *Options, p Peer) string {
	if o.tellsNames(p) && !o.Relative {
		return "--no-relative"
	}
	return ""
}

// noImpliedDirsWord goes to receivers that know flags of folders only, as
// those do that show their letters.
func noImpliedDirsWord(o *Options, p Peer) string {
	if o.Relative && o.NoImpliedDirs && (!p.Push || p.Capabilities != "") {
		return "--no-implied-dirs"
	}
	return ""
}

func oneFileSystemLetters(o *Options, _ Peer) string {
	return strings.Repeat("x", min(o.OneFileSystem, 2))
}

// missingArgsWord tells the server: to delete takes both sides.
func missingArgsWord(o *Options, p Peer) string {
	switch {
	case o.MissingArgs == MissingDelete:
		return "--delete-missing-args"
	case o.MissingArgs == MissingIgnore && !p.Push:
		return "--ignore-missing-args"
	}
	return ""
}
