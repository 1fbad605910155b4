package synk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/logformat"
)

// say prints a line of -v.
func (r *Run) say(format string, args ...any) {
	if r.Verbose > 0 && !r.JSON {
		fmt.Fprintln(r.Out, logformat.EscapeControls(fmt.Sprintf(format, args...)))
	}
}

// trace prints a command line as it is run, for -vv.
func (r *Run) trace(words []string) { r.say("debug: %s", join(words)) }

// show prints what was found of a file and what follows from it.
func (r *Run) show(item Item) {
	shown := r.place(item.Path)
	for _, s := range r.snaps {
		c := s.at(item.Path)
		if s.Err != nil || c.Err != "" {
			continue
		}
		// Tabs between the columns; one in a name is escaped.
		if r.Verbose > 0 && !r.JSON {
			fmt.Fprintf(r.Out, "peer: %s\t%s\t%s\t%d\n", s.Host, logformat.EscapeControls(strings.ReplaceAll(shown, "\t", `\#011`)), c.Short(), c.Mtime.Sec)
		}
		if r.Verbose > 1 {
			r.say("debug: %s: time %s, mode %04o, owner %s:%s, clock ahead by %s", s.Host, c.Mtime.Std().UTC().Format(time.RFC3339Nano), c.Mode, c.Owner, c.Group, s.Ahead)
		}
	}
	for _, n := range item.Notes {
		r.say("note: %s: %s", shown, n)
	}
	for _, h := range item.Delete {
		r.say("synk: delete %s:%s", h, shown)
	}
	if item.Master != "" {
		r.say("master: %s", item.Master)
	}
	for _, t := range r.tasks(item) {
		if r.Relay && t.between() {
			continue // told when its turn comes
		}
		r.say("synk: %s", t.line(r.peers))
	}
}

// finish tells on standard error what did not work, and with JSON everything.
func (r *Run) finish(o *Outcome) error {
	if r.JSON {
		return json.NewEncoder(r.Out).Encode(r.account(o))
	}
	line := func(format string, args ...any) {
		fmt.Fprintln(r.Err, "synk: "+logformat.EscapeControls(fmt.Sprintf(format, args...)))
	}
	for _, item := range o.Items {
		if item.Conflict == nil {
			continue
		}
		var who []string
		for _, c := range item.Conflict.Candidates {
			who = append(who, fmt.Sprintf("%s %s of %s", c.Host, c.Copy.Short(), c.Copy.Mtime.Std().UTC().Format(time.RFC3339Nano)))
		}
		line("conflict: %s: %s: %s (choose with --prefer HOST or -i)", item.Path, item.Conflict.Why, strings.Join(who, ", "))
	}
	for _, f := range o.Nowhere {
		line("%s: nobody has it", f)
	}
	for _, f := range o.Failed {
		line("failed: %s: %s: %v", f.Host, f.Path, f.Err)
	}
	for _, f := range o.Unreached {
		line("unreachable: %s: %v", f.Host, f.Err)
	}
	return nil
}

// The account of a run, for --json. Times are seconds since 1970 with their
// nanoseconds.
type (
	account struct {
		Synk   int           `json:"synk"`
		Exit   int           `json:"exit"`
		DryRun bool          `json:"dry_run,omitempty"`
		Peers  []accountPeer `json:"peers"`
		Files  []accountFile `json:"files"`
		Failed []accountFail `json:"failed,omitempty"`
	}
	accountPeer struct {
		Host  string  `json:"host"`
		Ahead float64 `json:"clock_ahead_s"`
		Stock bool    `json:"stock,omitempty"`
		Error string  `json:"error,omitempty"`
	}
	accountFile struct {
		Path     Name            `json:"path"`
		State    string          `json:"state"` // in-sync, changes, conflict, nowhere
		Master   string          `json:"master,omitempty"`
		To       []string        `json:"to,omitempty"`
		Mend     []string        `json:"mend,omitempty"`
		Delete   []string        `json:"delete,omitempty"`
		Why      string          `json:"why,omitempty"`
		Notes    []string        `json:"notes,omitempty"`
		Copies   []accountReport `json:"copies"`
		Disputed []string        `json:"candidates,omitempty"`
	}
	accountReport struct {
		Host string `json:"host"`
		Report
	}
	accountFail struct {
		Host  string `json:"host"`
		Path  Name   `json:"path,omitempty"`
		Error string `json:"error"`
	}
)

func (r *Run) account(o *Outcome) account {
	a := account{Synk: Version, Exit: o.Code(), DryRun: o.DryRun}
	for _, s := range r.snaps {
		p := accountPeer{Host: s.Host, Ahead: s.Ahead.Seconds(), Stock: s.Stock}
		if s.Err != nil {
			p.Error = s.Err.Error()
		}
		a.Peers = append(a.Peers, p)
	}
	for _, item := range o.Items {
		f := accountFile{
			Path: Name(item.Path), State: "in-sync", Master: item.Master, To: item.To, Mend: item.Mend, Delete: item.Delete,
			Notes: item.Notes, Copies: []accountReport{},
		}
		switch {
		case item.Conflict != nil:
			f.State, f.Why = "conflict", item.Conflict.Why
			for _, c := range item.Conflict.Candidates {
				f.Disputed = append(f.Disputed, c.Host)
			}
		case item.Changes():
			f.State = "changes"
		case slices.Contains(o.Nowhere, item.Path):
			f.State = "nowhere"
		}
		for _, s := range r.snaps {
			if s.Err == nil {
				f.Copies = append(f.Copies, accountReport{s.Host, report(item.Path, s.at(item.Path))})
			}
		}
		a.Files = append(a.Files, f)
	}
	for _, f := range o.Failed {
		a.Failed = append(a.Failed, accountFail{f.Host, Name(f.Path), f.Err.Error()})
	}
	return a
}
