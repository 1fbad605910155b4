package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is everything that was measured.
type report struct {
	Rsync      string       `json:"rsync"` // its version
	Arch       string       `json:"arch"`
	CPUs       int          `json:"cpus"`
	Rounds     int          `json:"rounds"`
	LoadBefore string       `json:"loadBefore"` // of 1, 5 and 15 minutes
	LoadAfter  string       `json:"loadAfter"`
	Jobs       []*jobReport `json:"jobs"`
	ARM        int64        `json:"armBytes,omitempty"` // size of the stripped binary
}

// jobReport is one job.
type jobReport struct {
	Name       string        `json:"name"`
	About      string        `json:"about"`
	WallGoal   float64       `json:"wallGoal,omitempty"`
	CPUGoal    float64       `json:"cpuGoal,omitempty"`
	Memory     bool          `json:"memory,omitempty"` // memory is what counts
	MemoryGoal int64         `json:"memoryGoal,omitempty"`
	Pairings   []*pairReport `json:"pairings"`
}

// pairReport is one pairing's part of a job; the baseline is the first.
type pairReport struct {
	Pairing string   `json:"pairing"`
	Note    string   `json:"note,omitempty"` // why there are no samples
	Samples []sample `json:"samples,omitempty"`

	pairing pairing
}

func newReport(ctx context.Context, cfg *config, rsync string) *report {
	r := &report{Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Rounds: cfg.rounds, LoadBefore: load()}
	if out, err := exec.CommandContext(ctx, rsync, "--version").Output(); err == nil {
		r.Rsync, _, _ = strings.Cut(string(out), "\n")
	}
	return r
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	f := strings.Fields(string(text))
	return strings.Join(f[:min(3, len(f))], " ")
}

// table prints the ratios.
func (r *report) table(out io.Writer) error {
	fmt.Fprint(out, r.circumstances())
	for _, j := range r.Jobs {
		if err := j.table(out); err != nil {
			return err
		}
	}
	if r.ARM > 0 {
		fmt.Fprintf(out, "\nsize: the stripped ARM binary has %.2f MiB%s\n", mib(r.ARM), verdict(mib(r.ARM), mib(armGoal)))
	}
	return nil
}

func (j *jobReport) table(out io.Writer) error {
	base := j.Pairings[0].Samples
	goals := ""
	if j.WallGoal > 0 {
		goals = fmt.Sprintf("; goal: wall <= %.1f, cpu <= %.1f", j.WallGoal, j.CPUGoal)
	}
	if j.MemoryGoal > 0 {
		goals = fmt.Sprintf("; goal: rss of ours <= %d MiB", j.MemoryGoal>>20)
	}
	fmt.Fprintf(out, "\n%s: %s%s\n", j.Name, j.About, goals)
	fmt.Fprintf(out, "noise of rsync<-rsync: wall %.0f%%, cpu %.0f%%\n", 100*spread(each(base, wallOf)), 100*spread(each(base, sample.cpu)))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "pairing\twall\tcpu\tcpu client\tcpu server\twire\trss client\trss server\t")
	for _, p := range j.Pairings {
		if p.Note != "" {
			fmt.Fprintf(w, "%s\t%s\t\t\t\t\t\t\t\n", p.Pairing, p.Note)
			continue
		}
		j.row(w, p, base)
	}
	return w.Flush()
}

func wallOf(s sample) float64    { return s.Wall }
func clientCPU(s sample) float64 { return s.Client.CPU }
func serverCPU(s sample) float64 { return s.Server.CPU }
func readOf(s sample) float64    { return float64(s.Read) }
func clientMiB(s sample) float64 { return mib(s.Client.RSS) }
func serverMiB(s sample) float64 { return mib(s.Server.RSS) }
func mib(n int64) float64        { return float64(n) / (1 << 20) }

func (j *jobReport) row(w io.Writer, p *pairReport, base []sample) {
	wire := "?"
	if p.Samples[0].Read > 0 {
		wire = fmt.Sprintf("%.3f", ratio(p.Samples, base, readOf))
	}
	wall, cpu := ratio(p.Samples, base, wallOf), ratio(p.Samples, base, sample.cpu)
	c, s := most(p.Samples, clientMiB), most(p.Samples, serverMiB)
	var wallOK, cpuOK, cOK, sOK string
	if p.pairing.client == ours && p.pairing.server == ours {
		wallOK, cpuOK = verdict(wall, j.WallGoal), verdict(cpu, j.CPUGoal)
	}
	if p.pairing.client == ours {
		cOK = verdict(c, mib(j.MemoryGoal))
	}
	if p.pairing.server == ours {
		sOK = verdict(s, mib(j.MemoryGoal))
	}
	fmt.Fprintf(w, "%s\t%.2f%s\t%.2f%s\t%.2f\t%.2f\t%s\t%.1f%s\t%.1f%s\t\n", p.Pairing, wall, wallOK, cpu, cpuOK,
		ratio(p.Samples, base, clientCPU), ratio(p.Samples, base, serverCPU), wire, c, cOK, s, sOK)
}

// verdict marks what has missed its goal, if there is one.
func verdict(v, goal float64) string {
	if goal > 0 && v > goal {
		return " (missed)"
	}
	return ""
}

// each takes one number of every sample.
func each(list []sample, f func(sample) float64) []float64 {
	out := make([]float64, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

// most is the largest of one number.
func most(list []sample, f func(sample) float64) float64 { return slices.Max(each(list, f)) }

// ratio is the median of the ratios of a number in the same round. Both lists
// have a sample of each round. A share of less than a hundredth of a second is
// what the kernel's clock may get wrong.
func ratio(list, base []sample, f func(sample) float64) float64 {
	var r []float64
	for i := range min(len(list), len(base)) {
		if b := f(base[i]); b > 0 {
			r = append(r, f(list[i])/b)
		}
	}
	return quantile(r, 0.5)
}

// spread is the distance of the quartiles as a part of the median.
func spread(v []float64) float64 {
	m := quantile(v, 0.5)
	if m == 0 {
		return 0
	}
	return (quantile(v, 0.75) - quantile(v, 0.25)) / m
}

// quantile is the value below which the part q of v lies, between two values
// in proportion; 0 if there are none.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 == len(v) {
		return v[i]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}
