package install

import (
	"fmt"
	"io/fs"
	"strings"
)

// Action is one step of a plan. String says in one line what it does.
type Action interface {
	fmt.Stringer
	do(*applier) error
}

// MakeFolder makes a directory.
type MakeFolder struct{ Name string }

func (a MakeFolder) String() string { return "make the folder " + a.Name }

// PutFile writes a small file, in the place of one that may be there.
type PutFile struct {
	Name string
	Mode fs.FileMode
	Text []byte
	What string
	// Secret keeps the text out of what is shown.
	Secret bool
}

func (a PutFile) String() string { return fmt.Sprintf("write %s (%s)", a.Name, a.What) }

// PutProgram copies the program and compares the copy with the original.
type PutProgram struct {
	Name, From string
	Size       int64
	Sum        string // SHA-256 in hexadecimal
}

func (a PutProgram) String() string {
	return fmt.Sprintf("copy the program to %s (%s)", a.Name, megabytes(a.Size))
}

// MakeLink makes a symbolic link.
type MakeLink struct{ Name, Target string }

func (a MakeLink) String() string { return fmt.Sprintf("link %s to %s", a.Name, a.Target) }

// SecondName gives a file a second name (a hard link), so that it stays when
// another takes its first.
type SecondName struct{ From, To, What string }

func (a SecondName) String() string { return fmt.Sprintf("keep %s as %s", a.What, a.To) }

// Rename moves a file to the place of another.
type Rename struct{ From, To, What string }

func (a Rename) String() string { return a.What + " " + a.To }

// Remove removes a file or a link.
type Remove struct{ Name, Why string }

func (a Remove) String() string { return strings.TrimSpace("remove " + a.Name + parens(a.Why)) }

// RemoveFolder removes an empty directory.
type RemoveFolder struct{ Name string }

func (a RemoveFolder) String() string { return "remove the folder " + a.Name }

// Stop ends a process that runs the program.
type Stop struct{ Process }

func (a Stop) String() string { return fmt.Sprintf("end process %d (%s)", a.PID, a.Name) }
