package synk

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Run is one run of synk. Its fields are set before [Run.Do].
type Run struct {
	Peers []Peer // besides this machine
	Files []string
	Rules Rules // Now is filled in
	Shell Shell
	Local Server
	// Out gets what Verbose asks for, Err what went wrong; both at any time.
	Out, Err io.Writer
	// Verbose shows peers, masters and commands (1), clocks and times, too (2).
	Verbose int
	JSON    bool // an account of it all on Out at the end, instead of lines
	DryRun  bool
	Jobs    int // how much happens at once, 0 for everything
	// Relay sends what goes from one peer to another through this machine. It
	// is tried anyway where the direct way does not work.
	Relay bool
	// Backup is the directory on each host that keeps what is replaced, "" for
	// none; an absolute path.
	Backup string
	Umask  uint32
	// Ask, if not nil, has somebody choose a host in a conflict.
	Ask func(Item) (host string, ok bool)
	// Recurse keeps directories in sync, what was deleted included; States is
	// where it is remembered what was alike.
	Recurse bool
	States  string
	Now     func() time.Time // nil for the time of day

	peers  map[string]Peer
	tree   string     // the directory at hand
	snaps  []Snapshot // in the order in which they are shown
	survey *surveyor
}

// Fault is something that did not work.
type Fault struct {
	Host string
	Path string // "" for the host itself
	Err  error
}

// Outcome is what a run has come to.
type Outcome struct {
	Items     []Item
	Unreached []Fault
	Failed    []Fault
	Nowhere   []string // files that nobody has
	DryRun    bool
}

// The exit codes.
const (
	ExitInSync    = 0
	ExitUsage     = 1
	ExitChanges   = 2 // with -n: something would be done
	ExitUnreached = 3
	ExitFailed    = 4
	ExitConflict  = 5
)

// Code is the exit code: that of the worst that has happened.
func (o *Outcome) Code() int {
	conflict := slices.ContainsFunc(o.Items, func(i Item) bool { return i.Conflict != nil })
	changes := slices.ContainsFunc(o.Items, Item.Changes)
	switch {
	case conflict:
		return ExitConflict
	case len(o.Failed) > 0:
		return ExitFailed
	case len(o.Unreached) > 0:
		return ExitUnreached
	case len(o.Nowhere) > 0:
		return ExitUsage
	case o.DryRun && changes:
		return ExitChanges
	}
	return ExitInSync
}

func (r *Run) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// Do surveys, plans, copies and verifies. An error is one that stopped
// everything; what went wrong with single hosts and files is in the outcome.
func (r *Run) Do(ctx context.Context) (*Outcome, error) {
	r.Local.Now = r.Now
	r.survey = &surveyor{shell: r.Shell, local: r.Local, now: r.now, places: newPlaces(r.Jobs)}
	r.peers = make(map[string]Peer)
	for _, p := range r.Peers {
		r.peers[p.Host] = p
	}
	if r.DryRun {
		r.Verbose = max(r.Verbose, 1)
	}
	if r.Verbose > 1 && !r.JSON {
		r.Shell.Trace = r.trace
		r.survey.shell.Trace = r.trace
	}
	if r.Recurse {
		return r.trees(ctx)
	}
	return r.files(ctx)
}

// files keeps single files in sync.
func (r *Run) files(ctx context.Context) (*Outcome, error) {
	var q Request
	for _, f := range r.Files {
		q.Files = append(q.Files, Name(f))
	}
	r.snaps = r.look(ctx, q, nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.Rules.Now = r.now()
	o := &Outcome{DryRun: r.DryRun}
	r.unreached(o)
	for _, f := range r.Files {
		item := r.settle(Plan(f, r.snaps, r.Rules), func() Item { return Plan(f, r.snaps, r.Rules) })
		if c := r.directory(f); c != "" {
			o.Failed = append(o.Failed, Fault{Host: c, Path: f, Err: errDirectory})
			item = Item{Path: f}
		}
		o.Items = append(o.Items, item)
		r.blind(o, item)
		if !item.Content.Present() && item.Conflict == nil && len(item.Blind) == 0 && r.directory(f) == "" {
			o.Nowhere = append(o.Nowhere, f)
		}
	}
	var jobs []task
	for _, item := range o.Items {
		r.show(item)
		for _, t := range r.tasks(item) {
			jobs = r.add(jobs, t)
		}
	}
	if !r.DryRun {
		o.Failed = append(o.Failed, r.carryOut(ctx, jobs)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return o, r.finish(o)
}

// errDirectory: single files are elected, not directories.
var errDirectory = fmt.Errorf("it is a directory: say -R")

// directory names a host on which a path is a directory, "" for none.
func (r *Run) directory(path string) string {
	for _, s := range r.snaps {
		if s.Copies[path].Kind == Dir {
			return s.Host
		}
	}
	return ""
}

// look asks this machine and all peers at once, or those in only if that is not
// nil, in the order in which they are shown: this machine, then the peers from
// the last to the first.
func (r *Run) look(ctx context.Context, q Request, only map[string]Request) []Snapshot {
	stock := make(map[string]bool)
	for _, s := range r.snaps {
		stock[s.Host] = s.Stock
	}
	hosts := []string{Localhost}
	for _, p := range slices.Backward(r.Peers) {
		hosts = append(hosts, p.Host)
	}
	if only != nil {
		hosts = slices.DeleteFunc(hosts, func(h string) bool { _, ok := only[h]; return !ok })
	}
	out := make([]Snapshot, len(hosts))
	for i, h := range hosts {
		out[i] = Snapshot{Host: h, Err: context.Canceled} // unless its turn comes
	}
	r.survey.places.each(ctx, len(hosts), func(i int) {
		mine := q
		if only != nil {
			mine = only[hosts[i]]
		}
		if hosts[i] == Localhost {
			out[i] = r.survey.look(ctx, mine)
			return
		}
		out[i] = r.survey.ask(ctx, r.peers[hosts[i]], mine, stock[hosts[i]])
	})
	return out
}

func (r *Run) unreached(o *Outcome) {
	for _, s := range r.snaps {
		if s.Err != nil {
			o.Unreached = append(o.Unreached, Fault{Host: s.Host, Err: s.Err})
		}
	}
}

// blind makes what could not be looked at part of the outcome.
func (r *Run) blind(o *Outcome, item Item) {
	for _, host := range slices.Sorted(maps.Keys(item.Blind)) {
		o.Failed = append(o.Failed, Fault{host, item.Path, fmt.Errorf("left alone: %s", item.Blind[host])})
	}
}

// settle asks about a conflict and plans anew with the choice.
func (r *Run) settle(item Item, again func() Item) Item {
	if item.Conflict == nil || r.Ask == nil {
		return item
	}
	host, ok := r.Ask(item)
	if !ok {
		return item
	}
	if r.Rules.Choices == nil {
		r.Rules.Choices = make(map[string]string)
	}
	r.Rules.Choices[item.Path] = host
	return again()
}

// task is a job and what is expected of it.
type task struct {
	job
	content map[string]Content // by path, as the other end is asked for it
}

// tasks are an item's copies, in the order in which hosts are shown.
func (r *Run) tasks(item Item) []task {
	var out []task
	from := r.snap(item.Master)
	for _, s := range r.snaps {
		if slices.Contains(item.To, s.Host) || slices.Contains(item.Mend, s.Host) {
			j := fileJob(from, s, item.Path)
			if r.Recurse {
				j = treeJob(from, s, r.tree, item.Path)
			}
			j = j.withBackup(r.Backup, r.suffix())
			j.again = item.Content != s.at(item.Path).Content && alike(from.at(item.Path), s.at(item.Path))
			out = append(out, task{j, map[string]Content{item.Path: item.Content}})
		}
	}
	return out
}

// add adds a task to those that its list can be put into, or as one of its own.
func (r *Run) add(tasks []task, t task) []task {
	for i, have := range tasks {
		if have.merges(t.job) {
			tasks[i].names = append(have.names, t.names...)
			maps.Copy(have.content, t.content)
			return tasks
		}
	}
	return append(tasks, t)
}

// suffix tells the backups of one run from those of others.
func (r *Run) suffix() string { return "." + r.Rules.Now.UTC().Format("20060102-150405") }

func (r *Run) snap(host string) Snapshot {
	for _, s := range r.snaps {
		if s.Host == host {
			return s
		}
	}
	return Snapshot{Host: host}
}
