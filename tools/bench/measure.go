package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sample is one run of one pairing.
type sample struct {
	Wall   float64 `json:"wall"` // seconds
	Client usage   `json:"client"`
	Server usage   `json:"server"`
	Read   int64   `json:"read"` // bytes that the client has read, 0 if it does not say
}

func (s sample) cpu() float64 { return s.Client.CPU + s.Server.CPU }

// bench is a measurement under way.
type bench struct {
	cfg  *config
	dir  string
	prog programs
	say  io.Writer
}

// measure does all jobs.
func measure(ctx context.Context, cfg *config, say io.Writer) (rep *report, err error) {
	b := &bench{cfg: cfg, say: say}
	if b.dir, err = cfg.workplace(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.findPrograms(ctx); err != nil {
		return nil, err
	}
	rep = newReport(ctx, cfg, b.prog.rsync)
	pl := &place{cfg, b.dir}
	for _, name := range cfg.jobs {
		jobs, err := pl.make(name)
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			res, err := b.job(ctx, j)
			if err != nil {
				return nil, fmt.Errorf("job %s: %w", j.name, err)
			}
			rep.Jobs = append(rep.Jobs, res)
		}
		if name == "size" {
			if rep.ARM, err = b.armSize(ctx); err != nil {
				return nil, err
			}
		}
		for _, j := range jobs {
			if err := os.RemoveAll(j.src); err != nil {
				return nil, err
			}
		}
	}
	rep.LoadAfter = load()
	return rep, nil
}

// job has all pairings take turns.
func (b *bench) job(ctx context.Context, j job) (*jobReport, error) {
	res := &jobReport{Name: j.name, About: j.about, WallGoal: j.wall, CPUGoal: j.cpu}
	prog, rounds := b.prog, b.cfg.rounds
	pairings := slices.Clone(b.cfg.pairings)
	if j.memory != nil {
		res.MemoryGoal, res.Memory, res.CPUGoal = *j.memory, true, 0
		rounds = min(rounds, 3) // memory is not noisy
		pairings = slices.DeleteFunc(pairings, func(p pairing) bool { return p.client == gokrazy || p.server == gokrazy })
		var err error
		if prog.ours, err = b.memoryBuild(ctx); err != nil {
			return nil, err
		}
	}
	for _, pr := range pairings {
		res.Pairings = append(res.Pairings, &pairReport{Pairing: pr.String(), pairing: pr})
	}
	return res, b.rounds(ctx, &prog, j, res, rounds)
}

// rounds fills the samples. The first round checks the trees; one before those
// that count warms up, and one after them writes the profiles.
func (b *bench) rounds(ctx context.Context, prog *programs, j job, res *jobReport, rounds int) error {
	first := 0 // round that counts
	if b.cfg.warmUp {
		first = 1
	}
	last := first + rounds // one that does not
	for r := range last + 1 {
		if r == last && prog.profile == "" { // a profile slows down
			break
		}
		fmt.Fprintf(b.say, "%s: round %d of %d\n", j.name, r, last-1)
		turn := slices.Clone(res.Pairings)
		if r%2 == 1 {
			slices.Reverse(turn)
		}
		for _, p := range turn {
			if p.Note != "" {
				continue
			}
			label := ""
			if r == last {
				label = strings.ReplaceAll(j.name, " ", "-") + "." + p.pairing.client + "-" + p.pairing.server
			}
			s, err := b.once(ctx, prog, j, p.pairing, r == 0, label)
			switch {
			case errors.Is(err, errUnsupported) && p.pairing != baseline():
				p.Note = err.Error()
			case err != nil:
				return err
			case r >= first && r < last:
				p.Samples = append(p.Samples, s)
			}
		}
	}
	return nil
}

// once runs one pairing once. check compares the trees afterwards.
func (b *bench) once(ctx context.Context, prog *programs, j job, pr pairing, check bool, label string) (s sample, err error) {
	dst := filepath.Join(b.dir, "dst")
	if err := os.Mkdir(dst, 0o755); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dst)) }()
	if err := j.fill(dst); err != nil {
		return s, err
	}
	server, addr, err := prog.serve(ctx, pr.server, j.src, b.dir, label)
	if err != nil {
		return s, err
	}
	ended := false
	defer func() {
		if !ended {
			server.end()
		}
	}()
	if err := server.settle(ctx); err != nil { // with who looked whether it listens
		return s, err
	}
	if s, err = b.pulls(ctx, prog, j, pr, server, addr, dst, label); err != nil {
		return s, err
	}
	if err := server.settle(ctx); err != nil {
		return s, err
	}
	s.Server, ended = server.end(), true
	if check {
		if err := sameTrees(j.src, dst); err != nil {
			return s, fmt.Errorf("%s did not copy the tree: %w", pr, err)
		}
	}
	return s, nil
}

// pulls has the client pull as often as the job says, and adds up.
func (b *bench) pulls(ctx context.Context, prog *programs, j job, pr pairing, server *process, addr, dst, label string) (s sample, err error) {
	options := slices.Concat(b.cfg.options, j.options)
	if j.alone {
		options = j.options
	}
	for range max(j.times, 1) {
		cmd := prog.pull(ctx, pr.client, addr, dst, options, label)
		began := time.Now()
		client, err := start(ctx, cmd)
		if err != nil {
			return s, err
		}
		used, err := client.wait()
		s.Wall += time.Since(began).Seconds()
		switch {
		case ctx.Err() != nil:
			return s, context.Cause(ctx)
		case err != nil:
			return s, failed(pr, err, client.out.String()+client.err.String()+server.err.String())
		}
		a, err := told(pr.client, client.out.String())
		if err != nil {
			return s, err
		}
		s.Read += a.Read
		s.Client.CPU += used.CPU
		s.Client.RSS = max(s.Client.RSS, used.RSS, a.HWM)
	}
	return s, nil
}
