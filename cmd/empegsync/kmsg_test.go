package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// stingy is a log that drops what comes after ten records of one opening, and
// refuses long ones.
type stingy struct {
	all  *[]string
	left int
}

func (d *stingy) Write(p []byte) (int, error) {
	if len(p) > 976 {
		return 0, errors.New("invalid argument")
	}
	if d.left--; d.left >= 0 {
		*d.all = append(*d.all, strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}
func (d *stingy) Close() error { return nil }

func TestKernelLogLosesNothing(t *testing.T) {
	var got, want []string
	log := &recordLog{open: func() (io.WriteCloser, error) { return &stingy{&got, 10}, nil }}
	for i := range 35 {
		fmt.Fprintf(log, "line %d\nand %d\n\n", i, i)
		want = append(want, fmt.Sprint("line ", i), fmt.Sprint("and ", i))
	}
	long := strings.Repeat("x", 2000)
	fmt.Fprintln(log, long)
	want = append(want, long[:900], long[:900], long[:200])
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d records are kept of %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}
