package main

import (
	"slices"
	"strconv"
	"strings"
)

// exception is a difference that is meant to be.
type exception struct {
	why      string
	explains func(j *job, want *outcome, c change) bool
}

// exceptions is all that differs on purpose.
func exceptions() []exception {
	return []exception{
		{"before version 29 rsync's server prints the items of -i, and those of deletions without their name", func(j *job, _ *outcome, c change) bool {
			return j.version() < 29 && c.what == "output" && (j.way.push || j.way.over == "") &&
				(c.who == "rsync" && strings.HasPrefix(c.line, "*deleting") || c.who == "we" && strings.HasPrefix(c.line, "deleting "))
		}},
		{"a side of rsync's that refuses the job leaves the other with a broken stream, or never meets the old version that it speaks of", func(_ *job, want *outcome, _ change) bool {
			return slices.Contains(want.codes, 12) || slices.Contains(want.codes, 2)
		}},
		{"rsync loses the other names of a file when something stands in the way of one", func(j *job, want *outcome, _ change) bool {
			return j.has("-H") && strings.Contains(want.errs, "could not make way")
		}},
		{"with -u we never link over a newer file, rsync does if another name was there first", func(j *job, _ *outcome, _ change) bool {
			return j.has("-H") && j.has("-u")
		}},
		{"rsync hangs", func(_ *job, want *outcome, _ change) bool { return want.hung }},
		{"nothing vanishes here: rsync's daemon has lost its way in --files-from", func(_ *job, want *outcome, _ change) bool {
			return slices.Contains(want.codes, 24)
		}},
		{"with --numeric-ids rsync maps the names in ACLs only if the list comes whole, we always do", func(j *job, _ *outcome, c change) bool {
			return j.has("--numeric-ids") && (c.what == "output" || strings.Contains(c.line, "posix_acl"))
		}},
		{"rsync ends with 0 where it has told of errors", func(_ *job, want *outcome, c change) bool {
			return c.what == "code" && want.codes[0] == 0 && strings.Contains(want.errs, " failed: ")
		}},
		{"whether a client hears of a refusal or of the end of the connection is chance", func(_ *job, want *outcome, c change) bool {
			return c.what == "code" && slices.Contains(want.codes, 10)
		}},
		{"which name of a file is brought depends on how much of the list has come", func(j *job, want *outcome, c change) bool {
			return c.what == "output" && j.has("-H") && j.version() >= 30 && !j.has("--no-i-r")
		}},
	}
}

// unexplained returns the changes that are not meant to be.
func unexplained(j *job, want *outcome, changes []change) []change {
	return slices.DeleteFunc(changes, func(c change) bool {
		return slices.ContainsFunc(exceptions(), func(e exception) bool { return e.explains(j, want, c) })
	})
}

// has reports whether a run has an option.
func (j *job) has(option string) bool {
	return slices.Contains(slices.Concat(j.lines...), option)
}

// version is the lowest protocol version that a run speaks.
func (j *job) version() int {
	lowest := 32
	for _, w := range slices.Concat(j.lines...) {
		if v, ok := strings.CutPrefix(w, "--protocol="); ok {
			n, _ := strconv.Atoi(v)
			lowest = min(lowest, n)
		}
	}
	return lowest
}
