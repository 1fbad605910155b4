package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// tally counts how jobs come out.
type tally struct {
	*bench
	out                                     io.Writer
	shrink                                  time.Duration
	verbose                                 bool
	alike, refused, known, unsteady, failed int
}

// try does one job, and tells if it comes out otherwise with us.
func (t *tally) try(ctx context.Context, j *job) error {
	if t.verbose {
		fmt.Fprintf(t.out, "-- seed %d\n%s\n", j.seed, j.script(t.rsync, t.ours))
	}
	want, got, err := t.both(ctx, j)
	if err != nil {
		return err
	}
	all := differences(want, got)
	if len(all) == 0 {
		t.alike++
		if want.codes[0] == 1 || want.codes[0] == 4 {
			t.refused++
		}
		return nil
	}
	diff := unexplained(j, want, slices.Clone(all))
	if len(diff) == 0 {
		t.known++
		return nil
	}
	for range 2 {
		again, err := t.do(ctx, j, false)
		if err != nil {
			return err
		}
		if len(differences(want, again)) > 0 {
			t.unsteady++
			return nil
		}
	}
	t.failed++
	fmt.Fprintf(t.out, "== seed %d (%s)\n", j.seed, j.way.name)
	t.show(diff)
	is := kind(diff)
	j = shrink(j, func(c *job) bool { return t.fails(ctx, c, is) }, time.Now().Add(t.shrink))
	if want, got, err = t.both(ctx, j); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "-- made smaller:")
	t.show(unexplained(j, want, differences(want, got)))
	fmt.Fprintf(t.out, "-- rsync says:\n%s-- we say:\n%s-- the script:\n%s\n", want.errs, got.errs, j.script(t.rsync, t.ours))
	return nil
}

func (t *tally) show(changes []change) {
	for i, c := range changes {
		if i == 12 {
			fmt.Fprintf(t.out, "  and %d more\n", len(changes)-i)
			break
		}
		fmt.Fprintln(t.out, " ", c)
	}
}

// both does a job both ways.
func (t *tally) both(ctx context.Context, j *job) (want, got *outcome, err error) {
	if want, err = t.do(ctx, j, false); err == nil {
		got, err = t.do(ctx, j, true)
	}
	return want, got, err
}

// fails reports whether a job comes out otherwise in the way that is says.
func (t *tally) fails(ctx context.Context, j *job, is string) bool {
	want, got, err := t.both(ctx, j)
	return err == nil && kind(unexplained(j, want, differences(want, got))) == is
}
