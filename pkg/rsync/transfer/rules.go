package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/filter"
)

// Rules say which files a side leaves alone. Paths are relative to the
// transfer's root. They are used by several goroutines at once.
type Rules interface {
	// Hidden reports whether the sending side leaves a file out; prefix is
	// that of its Source.
	Hidden(prefix, path string, isDir bool) bool
	// Protected reports whether the receiving side must not delete a file;
	// doomed is set when the folder that it is in goes.
	Protected(path string, isDir, doomed bool) bool
	// Refused reports whether the receiving side must not take a file.
	Refused(path string, isDir bool) bool
}

// ClientRules are the rules that a client gives on its command line. Its
// scope must not depend on merge files in folders.
type ClientRules struct{ Scope *filter.Scope }

// Hidden implements [Rules].
func (r ClientRules) Hidden(_, path string, isDir bool) bool {
	return path != "." && r.Scope.Check(path, isDir, filter.Sender) == filter.Exclude
}

// Protected implements [Rules].
func (r ClientRules) Protected(path string, isDir, doomed bool) bool {
	if doomed {
		return r.Scope.CheckDoomed(path, isDir) == filter.Exclude
	}
	return r.Scope.Check(path, isDir, filter.Receiver) == filter.Exclude
}

// Refused implements [Rules]: a client's own rules do not bind what it asked
// for.
func (r ClientRules) Refused(string, bool) bool { return false }
