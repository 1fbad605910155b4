package main

import (
	"fmt"
	"slices"
	"strings"
)

// change is one thing that came out otherwise with us.
type change struct {
	what string // "hang", "tree", "code" or "output", in order of gravity
	who  string // who has it: "rsync" or "we"
	line string
}

func (c change) String() string { return fmt.Sprintf("%-6s %-5s: %s", c.what, c.who, c.line) }

// differences returns how two outcomes differ.
func differences(want, got *outcome) (out []change) {
	if want.hung != got.hung {
		out = append(out, change{"hang", "rsync", fmt.Sprint(want.hung)}, change{"hang", "we", fmt.Sprint(got.hung)})
	}
	out = append(out, changes("tree", want.tree, got.tree)...)
	if !slices.Equal(want.codes, got.codes) {
		out = append(out, change{"code", "rsync", fmt.Sprint(want.codes)}, change{"code", "we", fmt.Sprint(got.codes)})
	}
	return append(out, changes("output", want.lines, got.lines)...)
}

// changes returns the lines that two lists do not share, or that their order is
// another one.
func changes(what string, want, got []string) (out []change) {
	rest := slices.Clone(got)
	for _, l := range want {
		if i := slices.Index(rest, l); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else {
			out = append(out, change{what, "rsync", l})
		}
	}
	for _, l := range rest {
		out = append(out, change{what, "we", l})
	}
	if len(out) == 0 && !slices.Equal(want, got) {
		out = append(out, change{what, "rsync", "order: " + strings.Join(want, " | ")}, change{what, "we", "order: " + strings.Join(got, " | ")})
	}
	return out
}

// kind tells differences apart, so that what is left of a job when it was made
// smaller still shows the same one: what comes first, and how its line starts.
func kind(changes []change) string {
	if len(changes) == 0 {
		return ""
	}
	c := changes[0]
	if c.what == "output" {
		return c.what + c.who + c.line[:min(len(c.line), 3)]
	}
	return c.what
}
