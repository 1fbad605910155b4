package synk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// trees keeps directories in sync, one after the other.
func (r *Run) trees(ctx context.Context) (*Outcome, error) {
	all := &Outcome{DryRun: r.DryRun}
	for _, dir := range r.Files {
		if r.Backup != "" && (dir == "/" || strings.HasPrefix(path.Clean(r.Backup)+"/", path.Clean(dir)+"/")) {
			return nil, fmt.Errorf("the backup directory %s is below %s: it would be kept in sync, too", r.Backup, dir)
		}
		o, err := r.treeOf(ctx, dir)
		if err != nil {
			return nil, err
		}
		all.Items = append(all.Items, o.Items...)
		all.Failed = append(all.Failed, o.Failed...)
		all.Nowhere = append(all.Nowhere, o.Nowhere...)
		for _, f := range o.Unreached {
			if !slices.ContainsFunc(all.Unreached, func(g Fault) bool { return g.Host == f.Host }) {
				all.Unreached = append(all.Unreached, f)
			}
		}
	}
	return all, r.finish(all)
}

func (r *Run) treeOf(ctx context.Context, dir string) (*Outcome, error) {
	r.tree = dir
	keep, st, err := openStore(r.States, dir)
	if err != nil {
		return nil, err
	}
	defer keep.close()
	r.snaps = r.look(ctx, Request{Tree: Name(dir)}, nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, s := range r.snaps {
		if s.Err == nil && s.Top.Err != "" {
			r.snaps[i].Err = errors.New(s.Top.Err)
		}
	}
	r.Rules.Now = r.now()
	items, err := r.settleTree(st)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	o := &Outcome{Items: items, DryRun: r.DryRun}
	r.unreached(o)
	if !slices.ContainsFunc(r.snaps, func(s Snapshot) bool { return s.Err == nil && s.Top.Present() }) {
		o.Nowhere = append(o.Nowhere, dir)
		return o, nil
	}
	for _, item := range items {
		r.blind(o, item)
		if item.Changes() || item.Conflict != nil || len(item.Notes) > 0 {
			r.show(item)
		}
	}
	if r.DryRun {
		return o, nil
	}
	faults := r.carryOutTree(ctx, items)
	o.Failed = append(o.Failed, faults...)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return o, keep.save(st.Update(items, r.snaps, func(item Item, host string) bool {
		return !slices.ContainsFunc(faults, func(f Fault) bool { return f.Host == host && (f.Path == item.Path || f.Path == "") })
	}))
}

// settleTree plans, and asks about conflicts if somebody can be asked.
func (r *Run) settleTree(st State) ([]Item, error) {
	items, err := PlanTree(r.snaps, st, r.Rules)
	if err != nil || r.Ask == nil {
		return items, err
	}
	chosen := false
	for _, item := range items {
		if item.Conflict != nil {
			r.settle(item, func() Item { chosen = true; return item })
		}
	}
	if chosen {
		return PlanTree(r.snaps, st, r.Rules)
	}
	return items, nil
}

// carryOutTree removes, so that nothing is in the way, and copies.
func (r *Run) carryOutTree(ctx context.Context, items []Item) []Fault {
	faults := r.removeAll(ctx, items)
	stuck := func(host, name string) bool {
		return slices.ContainsFunc(faults, func(f Fault) bool { return f.Host == host && strings.HasPrefix(f.Path, name+"/") })
	}
	var tasks []task
	for _, item := range items {
		for _, t := range r.tasks(item) {
			if stuck(t.to.Host, item.Path) && item.Content.Kind != Dir {
				faults = append(faults, Fault{t.to.Host, item.Path, errors.New("a directory is in the way")})
				continue
			}
			tasks = r.add(tasks, t)
		}
	}
	return append(faults, r.carryOut(ctx, tasks)...)
}

// removeAll removes on all hosts what is to go, from the inside out.
func (r *Run) removeAll(ctx context.Context, items []Item) []Fault {
	ask := make(map[string]Request)
	for _, item := range slices.Backward(items) {
		for _, host := range item.Delete {
			was := r.snap(host).at(item.Path)
			rm := Removal{Path: Name(item.Path), Kind: was.Kind}
			rm.Sum, rm.Target = was.Content.wire()
			q := ask[host]
			q.Tree, q.Backup, q.Suffix = Name(r.tree), Name(r.Backup), Name(r.suffix())
			q.Remove, q.Files = append(q.Remove, rm), append(q.Files, rm.Path)
			ask[host] = q
		}
	}
	var faults []Fault
	if len(ask) == 0 {
		return nil
	}
	for _, s := range r.look(ctx, Request{}, ask) {
		for _, name := range ask[s.Host].Files {
			if err := confirm(s, string(name), Content{}); err != nil {
				faults = append(faults, Fault{s.Host, string(name), err})
			}
		}
	}
	return faults
}

// treeJob copies one thing below a tree. Its name goes through a list.
func treeJob(from, to Snapshot, tree, name string) job {
	j := job{from: from, to: to, base: strings.TrimSuffix(dashless(tree), "/") + "/", names: []string{name}}
	if !isPlain(tree) {
		j.base, j.names[0] = "/", strings.TrimPrefix(path.Join(tree, name), "/")
		if !path.IsAbs(tree) {
			j.base = "./"
		}
	}
	return j
}
