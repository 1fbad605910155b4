// Command testreport makes the output of "go test -json" readable and strict.
//
//	go test -json ./... | testreport -no-skip -may-skip '^TestARM'
//
// It prints the closing line of every package as go test does, and what a test
// said only where that test failed or was skipped. With -no-skip a skipped test
// counts as a failure, but for those whose name matches -may-skip, which some other
// step must run. With -least N, fewer than N passed tests count as a failure: a
// pattern that matches nothing is then no success. With -strays FILE the failed
// tests are written to FILE, "PACKAGE TEST" a line, when nothing but tests that
// failed went wrong, so that a caller can run these again.
//
// It exits with 0 if every test passed, 1 if not, and 2 when it was called wrongly
// or its input cannot be read.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the command without the process around it; it returns the exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("testreport", flag.ContinueOnError)
	fs.SetOutput(errOut)
	noSkip := fs.Bool("no-skip", false, "a skipped test is a failure")
	maySkip := fs.String("may-skip", "", "except tests whose name matches this `pattern`")
	least := fs.Int("least", 0, "fewer than `N` passed tests are a failure")
	strays := fs.String("strays", "", "write failed tests to `FILE` if nothing else went wrong")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil || fs.NArg() > 0 {
		return 2
	}
	r := newReport(out)
	if *noSkip {
		r.mustRun = func(string) bool { return true }
	}
	if *noSkip && *maySkip != "" {
		allowed, err := regexp.Compile(*maySkip)
		if err != nil {
			fmt.Fprintln(errOut, "testreport: -may-skip:", err)
			return 2
		}
		r.mustRun = func(test string) bool { return !allowed.MatchString(test) }
	}
	if err := r.read(in); err != nil {
		fmt.Fprintln(errOut, "testreport:", err)
		return 2
	}
	tests := r.strays()
	code := r.close(*least)
	if *strays == "" {
		return code
	}
	if err := writeStrays(*strays, tests); err != nil {
		fmt.Fprintln(errOut, "testreport:", err)
		return 2
	}
	return code
}

// writeStrays writes one line a test; the file is empty where there are none.
func writeStrays(file string, tests []key) error {
	var text strings.Builder
	for _, k := range tests {
		fmt.Fprintln(&text, k)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write the failed tests: %w", err)
	}
	return nil
}
