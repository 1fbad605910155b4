package main

import (
	"slices"
	"strings"
	"time"
)

// shrink makes a job smaller as long as it still fails in the same way, until
// nothing more can go or the time is up.
func shrink(j *job, fails func(*job) bool, until time.Time) *job {
	s := &shrinker{job: j, fails: fails, until: until}
	for again := true; again && time.Now().Before(until); {
		again = s.nodes()
		again = s.words() || again
		again = s.plainer() || again
	}
	return s.job
}

type shrinker struct {
	job   *job
	fails func(*job) bool
	until time.Time
}

// try takes a change over if the job still fails with it.
func (s *shrinker) try(change func(*job) bool) bool {
	c := s.job.clone()
	if time.Now().After(s.until) || !change(c) || !s.fails(c) {
		return false
	}
	s.job = c
	return true
}

// nodes leaves out nodes, many at a time to begin with.
func (s *shrinker) nodes() (less bool) {
	for size := max(len(s.job.nodes)/2, 1); size > 0; size /= 2 {
		for end := len(s.job.nodes); end > 0; {
			from := max(end-size, 0)
			less = s.try(func(c *job) bool { return c.drop(from, end) }) || less
			end = min(from, len(s.job.nodes))
		}
	}
	return less
}

// words leaves out runs, options and arguments.
func (s *shrinker) words() (less bool) {
	for i := len(s.job.lines) - 1; i >= 0; i-- {
		less = s.try(func(c *job) bool {
			c.lines = slices.Delete(c.lines, i, i+1)
			return len(c.lines) > 0
		}) || less
	}
	for _, w := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.job.lines...)))) {
		less = s.try(func(c *job) bool {
			for i := range c.lines {
				c.lines[i] = slices.DeleteFunc(c.lines[i], func(o string) bool { return o == w })
			}
			return true
		}) || less
	}
	for i := len(s.job.sources) - 1; i >= 0; i-- {
		less = s.try(func(c *job) bool {
			c.sources = slices.Delete(c.sources, i, i+1)
			return len(c.sources) > 0
		}) || less
	}
	return less
}

// plainer makes the nodes that are left plainer.
func (s *shrinker) plainer() (less bool) {
	for i := range s.job.nodes {
		for _, simplify := range []func(*node){
			func(n *node) { n.attrs, n.uid, n.gid, n.nsec = nil, 0, 0, 0 },
			func(n *node) { n.sec = 1_000_000_000 },
			func(n *node) {
				if n.mode = 0o644; n.kind == aFolder {
					n.mode = 0o755
				}
			},
			func(n *node) { n.data = n.data[:min(len(n.data), 1)] },
		} {
			less = s.try(func(c *job) bool {
				was := c.nodes[i]
				simplify(&c.nodes[i])
				return !alike(was, c.nodes[i])
			}) || less
		}
	}
	return less
}

func alike(a, b node) bool {
	return len(a.attrs) == len(b.attrs) && a.uid == b.uid && a.gid == b.gid && a.nsec == b.nsec && a.sec == b.sec && a.mode == b.mode && len(a.data) == len(b.data)
}

// drop leaves out nodes with what is below them and what shares their files, and
// reports whether any has gone. The source stays.
func (j *job) drop(from, to int) bool {
	before, gone := len(j.nodes), map[string]bool{}
	for _, n := range j.nodes[from:to] {
		gone[n.path] = n.path != "src"
	}
	kept := j.nodes[:0:0]
	for _, n := range j.nodes {
		if gone[n.path] || below(n.path, gone) || n.kind == aName && gone[n.target] {
			gone[n.path] = true
			continue
		}
		kept = append(kept, n)
	}
	j.nodes = kept
	return len(kept) < before
}

// below reports whether a path is within one of some folders.
func below(p string, folders map[string]bool) bool {
	for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p[:i], '/') {
		if folders[p[:i]] {
			return true
		}
	}
	return false
}
