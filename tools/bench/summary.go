package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// Between these lines of a document -doc puts what was measured.
const (
	docBegin = "<!-- measured: make bench writes this -->"
	docEnd   = "<!-- measured: end -->"
)

// summary is a row for each job: what ours comes to against rsync, and whether
// the goals are met.
func (r *report) summary() [][]string {
	rows := [][]string{{"job", "wall", "goal", "cpu", "goal", "wire", "client MiB", "server MiB", "goal", "ours<-rsync wall, cpu", "rsync<-ours wall, cpu", "state"}}
	for _, j := range r.Jobs {
		if row := j.summary(); row != nil {
			rows = append(rows, row)
		}
	}
	if r.ARM > 0 {
		state := "met"
		if r.ARM > armGoal {
			state = "missed"
		}
		rows = append(rows, []string{fmt.Sprintf("size: ARM binary of %.2f MiB", mib(r.ARM)), "", "", "", "", "", "", "", "8", "", "", state})
	}
	return rows
}

func (j *jobReport) summary() []string {
	base := j.Pairings[0].Samples
	find := func(client, server string) []sample {
		for _, p := range j.Pairings {
			if p.pairing == (pairing{client, server}) && p.Note == "" {
				return p.Samples
			}
		}
		return nil
	}
	both := find(ours, ours)
	if len(both) == 0 {
		return nil
	}
	wall, cpu := ratio(both, base, wallOf), ratio(both, base, sample.cpu)
	client, server := most(both, clientMiB), most(both, serverMiB)
	goal := func(format string, v float64) string {
		if v == 0 {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	mixed := func(list []sample) string {
		if len(list) == 0 {
			return ""
		}
		return fmt.Sprintf("%.2f, %.2f", ratio(list, base, wallOf), ratio(list, base, sample.cpu))
	}
	return []string{
		j.Name + ": " + j.About,
		fmt.Sprintf("%.2f", wall), goal("%.1f", j.WallGoal), fmt.Sprintf("%.2f", cpu), goal("%.1f", j.CPUGoal),
		fmt.Sprintf("%.3f", ratio(both, base, readOf)),
		fmt.Sprintf("%.1f", client), fmt.Sprintf("%.1f", server), goal("%.0f", mib(j.MemoryGoal)),
		mixed(find(ours, cRsync)), mixed(find(cRsync, ours)),
		j.state(wall, cpu, max(client, server)),
	}
}

// state says which of a job's goals are missed, if it has any.
func (j *jobReport) state(wall, cpu, memory float64) string {
	var missed []string
	goals := 0
	for _, g := range []struct {
		name    string
		v, goal float64
	}{{"wall", wall, j.WallGoal}, {"cpu", cpu, j.CPUGoal}, {"memory", memory, mib(j.MemoryGoal)}} {
		if g.goal == 0 {
			continue
		}
		if goals++; g.v > g.goal {
			missed = append(missed, g.name)
		}
	}
	switch {
	case goals == 0:
		return ""
	case len(missed) == 0:
		return "met"
	}
	return "missed: " + strings.Join(missed, ", ")
}

// circumstances say under which the numbers were found.
func (r *report) circumstances() string {
	return fmt.Sprintf("%s; %d rounds, %d processors (%s), load %s before and %s after\nwall, cpu, wire: median of the ratios to rsync<-rsync in the same round; rss: peak in MiB\n",
		r.Rsync, r.Rounds, r.CPUs, r.Arch, r.LoadBefore, r.LoadAfter)
}

// aligned is the summary for a terminal.
func (r *report) aligned() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range r.summary() {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	return b.String()
}

// markdown is everything for a document.
func (r *report) markdown() (string, error) {
	var b strings.Builder
	for i, row := range r.summary() {
		fmt.Fprintf(&b, "| %s |\n", strings.ReplaceAll(strings.Join(row, " | "), "<", "&lt;"))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	b.WriteString("\n```\n")
	if err := r.table(&b); err != nil {
		return "", err
	}
	b.WriteString("```\n")
	return b.String(), nil
}

// document puts what was measured between the marks of the file name.
func (r *report) document(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	made, err := r.markdown()
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), docBegin)
	_, after, closed := strings.Cut(rest, docEnd)
	if !ok || !closed {
		return errors.New(name + " has no lines " + docBegin + " and " + docEnd)
	}
	return os.WriteFile(name, []byte(before+docBegin+"\n\n"+made+"\n"+docEnd+after), 0o644)
}
