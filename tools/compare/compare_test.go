package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestJobs does a few jobs for every way of running them with what is built here.
func TestJobs(t *testing.T) {
	ours := filepath.Join(t.TempDir(), "empegsync")
	if out, err := exec.Command("go", "build", "-o", ours, "../../cmd/empegsync").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"-ours", ours, "-seed", "9", "-runs", "20", "-shrink", "0", "-patience", "4m", "-dir", t.TempDir()}, &out, &errs)
	if code != 0 {
		t.Errorf("exit code %d\n%s%s", code, &errs, &out)
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, args string
		code       int
		want       string
	}{
		{"rsync is like rsync", "-ours /usr/bin/rsync -seed 9 -runs 3", 0, "0 FAILED"},
		{"nothing is not", "-ours /bin/false -seed 4 -runs 1 -shrink 1ns", 1, "set -e; export LC_ALL"},
		{"no program", "-ours /nowhere", 2, "no such file"},
		{"bad flag", "-frobnicate", 2, "frobnicate"},
		{"help", "-h", 0, "-patience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			args := append([]string{"-dir", t.TempDir(), "-patience", "4m"}, strings.Fields(tt.args)...)
			if code := run(t.Context(), args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, tt.code, tt.want, &out)
			}
		})
	}
}

// TestSeeds: a seed is a job, always the same one, and others are others.
func TestSeeds(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(300) {
		a, b := newJob(seed), newJob(seed)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d made two jobs:\n%s", seed, cmp.Diff(a.script("r", "o"), b.script("r", "o")))
		}
		seen[a.way.name] = true
	}
	if len(seen) != len(ways()) {
		t.Errorf("300 seeds use %d of %d ways: %v", len(seen), len(ways()), seen)
	}
}

// TestScript: what is printed lays out the same sandbox.
func TestScript(t *testing.T) {
	for seed := range uint64(4) {
		j := newJob(seed)
		want, got := t.TempDir(), t.TempDir()
		if err := lay(want, j.nodes); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "-e", "-c", script(j.nodes))
		cmd.Dir = got
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		a, err := look(want)
		if err != nil {
			t.Fatal(err)
		}
		b, err := look(got)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("seed %d: made (-) and by the script (+):\n%s", seed, d)
		}
	}
}

func TestShrink(t *testing.T) {
	j := newJob(1)
	culprit := j.nodes[len(j.nodes)-1].path
	small := shrink(j, func(c *job) bool {
		return slices.ContainsFunc(c.nodes, func(n node) bool { return n.path == culprit }) && len(c.lines) > 0
	}, time.Now().Add(time.Minute))
	if len(small.lines[0]) != 0 || len(small.nodes) > 1+strings.Count(culprit, "/")+1 {
		t.Errorf("%q needs %d nodes and %q", culprit, len(small.nodes), small.lines)
	}
}

func TestHang(t *testing.T) {
	dir := t.TempDir()
	b := &bench{dir: dir, rsync: "sleep", patience: 50 * time.Millisecond}
	o, err := b.do(context.Background(), &job{lines: [][]string{nil}, dest: "600"}, false)
	if err != nil || !o.hung {
		t.Errorf("%+v, %v: a run that does not end was not found", o, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "world")); err != nil {
		t.Error(err)
	}
}
