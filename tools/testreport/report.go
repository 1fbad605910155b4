package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of go test -json; "go doc test2json" describes it.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	FailedBuild string
}

// key names one test, or a package where test is empty.
type key struct{ pkg, test string }

// report gathers events and writes what people want to see of them.
type report struct {
	out     io.Writer
	mustRun func(test string) bool // whether a skip of this test counts as a failure
	said    map[key][]string       // what unfinished tests have printed
	passed  int
	skipped int
	failed  []key
	refused []string // skipped, but must run
	broken  bool     // something went wrong that no second run can excuse
}

func newReport(out io.Writer) *report {
	return &report{out: out, mustRun: func(string) bool { return false }, said: make(map[key][]string)}
}

// maxLine bounds one line of input; a failing comparison can print a lot.
const maxLine = 16 << 20

// read handles a whole stream. Lines that are not JSON are passed on: go itself
// prints some, for instance when a package cannot be found.
func (r *report) read(in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	for sc.Scan() {
		var e event
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Fprintln(r.out, sc.Text())
			continue
		}
		r.handle(e)
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read go test -json: %w", err)
	}
	return nil
}

func (r *report) handle(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.output(k, e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.failed = append(r.failed, key{pkg: "build of " + e.ImportPath})
		r.broken = true
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		delete(r.said, k)
	case "fail":
		r.show(k)
		if e.FailedBuild == "" {
			r.failed = append(r.failed, k)
		}
	case "skip":
		if e.Test == "" { // a package without tests
			delete(r.said, k)
			return
		}
		r.skipped++
		if r.mustRun(e.Test) {
			r.refused = append(r.refused, k.String())
		}
		r.show(k)
	}
}

// output keeps a test's words until its verdict is known. A package's own lines
// are printed at once, except those that only say that all is going on.
func (r *report) output(k key, text string) {
	for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		r.broken = r.broken || strings.HasPrefix(text, sign)
	}
	switch {
	case k.test != "":
		if !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- PASS") {
			r.said[k] = append(r.said[k], text)
		}
	case text != "PASS\n" && !strings.HasPrefix(text, "testing: warning: no tests to run"):
		fmt.Fprint(r.out, text)
	}
}

// show prints what a test has said.
func (r *report) show(k key) {
	for _, text := range r.said[k] {
		fmt.Fprint(r.out, text)
	}
	delete(r.said, k)
}

func (k key) String() string {
	if k.test == "" {
		return k.pkg
	}
	return k.pkg + " " + k.test
}

// strays returns the top-level tests that failed, in their order, if these
// failures are all that went wrong. A build that failed, a data race, a panic, a
// test that skipped or never ended, and a package that failed with no test of
// it to blame stand for themselves: then there are none.
func (r *report) strays() []key {
	if r.broken || len(r.refused) > 0 || len(r.said) > 0 {
		return nil
	}
	var tops []key
	blamed := make(map[string]bool)
	for _, k := range r.failed {
		if k.test == "" {
			continue
		}
		blamed[k.pkg] = true
		k.test, _, _ = strings.Cut(k.test, "/")
		if !slices.Contains(tops, k) {
			tops = append(tops, k)
		}
	}
	for _, k := range r.failed {
		if !blamed[k.pkg] {
			return nil
		}
	}
	return tops
}

// close prints the verdict and returns the exit code. What was said by tests that
// never ended, for instance because their process died, is printed first.
func (r *report) close(least int) int {
	unended := len(r.said)
	for k := range r.said {
		fmt.Fprintf(r.out, "--- never ended: %s\n", k)
		r.show(k)
	}
	fmt.Fprintf(r.out, "%d tests passed, %d skipped, %d failures\n", r.passed, r.skipped, len(r.failed))
	code := 0
	if len(r.failed) > 0 || unended > 0 {
		code = 1
	}
	for _, f := range r.failed {
		fmt.Fprintln(r.out, "failed:", f)
	}
	for _, s := range r.refused {
		fmt.Fprintln(r.out, "skipped, but no test may skip here:", s)
		code = 1
	}
	if r.passed < least {
		fmt.Fprintf(r.out, "only %d tests passed, want at least %d\n", r.passed, least)
		code = 1
	}
	return code
}
