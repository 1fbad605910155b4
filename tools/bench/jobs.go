package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// job is what the pairings are to do.
type job struct {
	name, about string
	wall, cpu   float64  // goals, against the baseline; 0 for none
	options     []string // more of them
	alone       bool     // those and no others
	src         string
	times       int // how often the client pulls; 0: once
	// fill lays into the new folder dst what is there before.
	fill func(dst string) error
	// memory is set where memory is what counts: the goal in bytes of either
	// side, 0 if the issue sets none.
	memory *int64
}

func jobNames() []string {
	return []string{"small", "big", "same", "delta", "text", "greet", "night", "emerge", "memory", "size"}
}

// place makes jobs and what they need below a folder.
type place struct {
	cfg *config
	dir string
}

func (p *place) sub(name string) string { return filepath.Join(p.dir, name) }

// make makes the named job's files; the job size has none, memory several jobs.
func (p *place) make(name string) ([]job, error) {
	j := job{name: name, cpu: 1, src: p.sub(name), fill: func(string) error { return nil }}
	big := p.cfg.bigMiB << 20
	var err error
	switch name {
	case "small":
		j.about, j.wall = fmt.Sprintf("%d files of 4 KiB, new", p.cfg.files), 0.8
		err = makeTree(j.src, p.cfg.files)
	case "big":
		j.about, j.wall = fmt.Sprintf("one file of %d MiB, new", p.cfg.bigMiB), 0.7
		err = makeBig(j.src, big)
	case "same":
		j.about, j.wall = fmt.Sprintf("%d files and one of %d MiB, nothing changed", p.cfg.unchanged, p.cfg.bigMiB), 0.5
		j.fill = func(dst string) error { return linkTree(j.src, dst) }
		if err = makeTree(j.src, p.cfg.unchanged); err == nil {
			err = makeBig(j.src, big)
		}
	case "delta":
		j.about, j.wall = fmt.Sprintf("a file of %d MiB, 1%% of its blocks changed", p.cfg.bigMiB), 0.7
		err = p.makeDelta(&j, big)
	case "text":
		j.about, j.wall, j.options = fmt.Sprintf("%d MiB of text, new, with -z", p.cfg.textMiB), 0.8, []string{"-z"}
		err = makeText(j.src, p.cfg.textMiB<<20)
	case "greet":
		j.times = p.cfg.greetings
		j.about = fmt.Sprintf("%d pulls of a folder with one small file, one after the other", j.times)
		err = makeTree(j.src, 1)
	case "night":
		j.about, j.cpu = fmt.Sprintf("the second run of a backup of %d files, one in %d changed", p.cfg.nightly, changedPart), 0
		err = p.makeNight(&j)
	case "emerge":
		return p.makeEmerge()
	case "memory":
		return p.makeMemory()
	case "size":
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("make the files of the job %s: %w", name, err)
	}
	return []job{j}, nil
}

func (p *place) makeDelta(j *job, size int64) error {
	basis := p.sub("delta basis")
	if err := makeBig(basis, size); err != nil {
		return err
	}
	if err := makeBig(j.src, size); err != nil {
		return err
	}
	j.fill = func(dst string) error { return linkTree(basis, dst) }
	return changeBlocks(filepath.Join(j.src, bigName), size)
}

// makeNight makes a tree and what the night before has saved of it, to link to.
func (p *place) makeNight(j *job) error {
	before := p.sub("night before")
	j.options = []string{"-Hx", "--numeric-ids", "--link-dest=" + before}
	if err := makeFids(before, p.cfg.nightly); err != nil {
		return err
	}
	if err := makeFids(j.src, p.cfg.nightly); err != nil {
		return err
	}
	return changeFiles(j.src)
}

// emergeOptions are those that emerge --sync has for rsync, but for --stats and
// --human-readable, which concern what is printed.
const emergeOptions = "--recursive --links --safe-links --perms --times --omit-dir-times --compress --force --whole-file --delete --timeout=180 " +
	"--exclude=/distfiles --exclude=/local --exclude=/packages --exclude=/.git"

// makeEmerge makes two jobs: a tree of ebuilds that comes for the first time, and
// one that has not changed since.
func (p *place) makeEmerge() ([]job, error) {
	src := p.sub("portage")
	if err := makePortage(src, p.cfg.ebuilds); err != nil {
		return nil, fmt.Errorf("make the files of the job emerge: %w", err)
	}
	cold := job{
		name: "emerge cold", about: fmt.Sprintf("a portage-like tree of %d files, new, as emerge --sync asks for it", p.cfg.ebuilds), cpu: 1,
		src: src, options: strings.Fields(emergeOptions), alone: true, fill: func(string) error { return nil },
	}
	warm := cold
	warm.name, warm.about = "emerge warm", fmt.Sprintf("the same tree of %d files, nothing changed", p.cfg.ebuilds)
	warm.fill = func(dst string) error { return linkTree(src, dst) }
	return []job{cold, warm}, nil
}

// makeMemory makes two jobs for each size: a list whose files are all new, and
// one whose files are all there.
func (p *place) makeMemory() ([]job, error) {
	var jobs []job
	for _, n := range p.cfg.fids {
		src := p.sub(fmt.Sprintf("fids %d", n))
		if err := makeFids(src, n); err != nil {
			return nil, fmt.Errorf("make %d fids: %w", n, err)
		}
		var goal int64
		switch {
		case n <= 20_000:
			goal = 12 << 20
		case n <= 200_000:
			goal = 24 << 20
		}
		jobs = append(jobs, job{
			name: fmt.Sprintf("memory %d new", n), about: fmt.Sprintf("%d fids, new", n), src: src, memory: &goal,
			fill: func(string) error { return nil },
		}, job{
			name: fmt.Sprintf("memory %d same", n), about: fmt.Sprintf("%d fids, nothing changed", n), src: src, memory: &goal,
			fill: func(dst string) error { return linkTree(src, dst) },
		})
	}
	return jobs, nil
}

// need is about how much room the files of all jobs take, in bytes: the
// source, what is there before, and what comes.
func (c *config) need() int64 {
	const page = 4096 + 1024 // a small file with what describes it
	var most int64
	for _, n := range c.fids {
		most = max(most, int64(n)*2*page)
	}
	return max(most, int64(c.nightly)*3*page, int64(c.ebuilds)*2*page, int64(c.files)*2*page, c.bigMiB<<20*3+int64(c.unchanged)*2*page, c.textMiB<<20*2)
}

// workplace makes a folder for everything that is made.
func (c *config) workplace() (string, error) {
	dir := c.dir
	if dir == "" {
		const memory = "/dev/shm"
		// Half of it stays for others: it is memory.
		if room(memory) > 2*c.need() {
			dir = memory
		}
	}
	dir, err := os.MkdirTemp(dir, "bench-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the files: %w", err)
	}
	if has := room(dir); has < c.need() {
		err := fmt.Errorf("%s has %d MiB left and about %d are needed; name another place with -dir, or make the jobs smaller",
			dir, has>>20, c.need()>>20)
		return "", errors.Join(err, os.Remove(dir))
	}
	// A daemon that runs as nobody must get in.
	return dir, os.Chmod(dir, 0o755)
}
