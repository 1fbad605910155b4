package synk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// carryOut runs all tasks at once, those that need a way through this machine
// after the others, and then asks each host whether it has what it should.
func (r *Run) carryOut(ctx context.Context, tasks []task) []Fault {
	c := &copier{shell: r.Shell, peers: r.peers, umask: r.Umask, busy: make(map[string]places)}
	for _, t := range tasks {
		if c.busy[t.from.Host] == nil {
			c.busy[t.from.Host] = newPlaces(sessionsEach)
		}
	}
	errs := make([]error, len(tasks))
	relayed := make([]bool, len(tasks))
	r.survey.places.each(ctx, len(tasks), func(i int) {
		if t := tasks[i]; t.between() && r.Relay {
			relayed[i] = true
		} else if err := r.unchanged(ctx, t); err != nil {
			errs[i] = err
		} else {
			errs[i] = c.do(ctx, t.job)
			relayed[i] = t.between() && unroutable(errs[i])
		}
	})
	r.survey.places.each(ctx, len(tasks), func(i int) {
		if relayed[i] {
			errs[i] = r.relay(ctx, c, tasks[i], errs[i])
		}
	})
	return r.verify(ctx, tasks, errs)
}

// place is where an item's path is on this machine.
func (r *Run) place(name string) string {
	if r.Recurse {
		return path.Join(r.tree, name)
	}
	return name
}

// unchanged refuses to replace a file of this machine that was changed since it
// was looked at.
func (r *Run) unchanged(ctx context.Context, t task) error {
	if !t.to.local() {
		return nil
	}
	for name := range t.content {
		was := t.to.at(name)
		is := newLooker().file(ctx, r.place(name))
		if is.Content != was.Content && is.Present() || is.Kind == File && is.Mtime != was.Mtime {
			return errors.New("it has been changed since it was looked at: run again")
		}
	}
	return nil
}

// relay copies from this machine's copy, if that is the master's by now.
func (r *Run) relay(ctx context.Context, c *copier, t task, direct error) error {
	here := r.snap(Localhost)
	for name, want := range t.content {
		if got := newLooker().file(ctx, r.place(name)); got.Content != want {
			return errors.Join(direct, fmt.Errorf("a way through this machine: it has no copy of its own of %s", name))
		}
	}
	t.from = here
	r.say("synk: %s", t.line(r.peers))
	err := c.do(ctx, t.job)
	if err != nil && direct != nil {
		err = fmt.Errorf("%w; through this machine: %w", direct, err)
	}
	return err
}

// verify asks each host for what it has got.
func (r *Run) verify(ctx context.Context, tasks []task, errs []error) []Fault {
	var faults []Fault
	ask := make(map[string]Request)
	for i, t := range tasks {
		if errs[i] != nil {
			for name := range t.content {
				faults = append(faults, Fault{t.to.Host, name, fmt.Errorf("copy from %s: %w", t.from.Host, errs[i])})
			}
			continue
		}
		q := ask[t.to.Host]
		if r.Recurse {
			q.Tree = Name(r.tree)
		}
		for name := range t.content {
			q.Files = append(q.Files, Name(name))
		}
		ask[t.to.Host] = q
	}
	for _, s := range r.look(ctx, Request{}, ask) {
		for i, t := range tasks {
			if t.to.Host != s.Host || errs[i] != nil {
				continue
			}
			for name, want := range t.content {
				if err := confirm(s, name, want); err != nil {
					faults = append(faults, Fault{s.Host, name, err})
				}
			}
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Path+"\x00"+a.Host, b.Path+"\x00"+b.Host) })
	return faults
}

// confirm checks what a host has after a copy.
func confirm(s Snapshot, name string, want Content) error {
	switch got := s.Copies[name]; {
	case s.Err != nil:
		return fmt.Errorf("verify the copy: %w", s.Err)
	case got.Err != "":
		return fmt.Errorf("verify the copy: %s", got.Err)
	case got.Content != want:
		return fmt.Errorf("after the copy it is %s there instead of %s: somebody has changed it meanwhile, run again", got.Short(), want.Short())
	}
	return nil
}
