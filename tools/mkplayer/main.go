// Command mkplayer lays out a car player in a folder and looks after it, for
// demonstrations and for trying things by hand. It does what package playertest
// does for tests.
//
//	mkplayer build -name kitchen master
//	mkplayer build -name car slave
//	mkplayer mutate master
//	mkplayer compare master slave
//	mkplayer start slave
//
// It exits with 0 when all is well, 1 when something failed or differs, and 2 when
// it was called wrongly.
package main

import (
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command without the process around it; it returns the exit code.
func run(args []string, out, errOut io.Writer) int {
	if len(args) == 0 {
		return usage(errOut)
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return v.run(v, args[1:], out, errOut)
		}
	}
	return usage(errOut)
}
