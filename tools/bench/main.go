package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without the process around it; it returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	if len(args) > 0 && args[0] == "peer" {
		return peer(ctx, args[1:], out, errOut)
	}
	cfg, err := parseFlags(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(errOut, "bench:", err)
		return 2
	}
	rep, err := measure(ctx, cfg, errOut)
	if err == nil && cfg.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(rep)
	} else if err == nil {
		if err = rep.table(out); err == nil {
			_, err = fmt.Fprintf(out, "\nours<-ours, and the goals:\n%s", rep.aligned())
		}
	}
	if err == nil && cfg.doc != "" {
		err = rep.document(cfg.doc)
	}
	if err != nil {
		fmt.Fprintln(errOut, "bench:", err)
		return 1
	}
	return 0
}

// config is what the flags say.
type config struct {
	dir       string // where the files go; "" chooses
	profile   string // where our peers write profiles; "" for none
	json      bool
	doc       string // document that gets the tables; "" for none
	rounds    int    // measured ones
	warmUp    bool   // one more before
	files     int    // of the job small
	unchanged int    // files of the job same
	bigMiB    int64
	textMiB   int64
	greetings int      // pulls of the job greet
	nightly   int      // files of the job night
	fids      []int    // of the job memory
	memArch   string   // GOARCH of the build whose memory is measured, "" for this program
	ebuilds   int      // files of the job emerge
	options   []string // of rsync, for every client
	jobs      []string
	pairings  []pairing
}

func parseFlags(args []string, errOut io.Writer) (*config, error) {
	c := &config{warmUp: true}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.StringVar(&c.dir, "dir", "", "make the files below this `folder` (default /dev/shm if it has room, else the usual one)")
	fs.StringVar(&c.profile, "profile", "", "have our peers write pprof files into this `folder`")
	fs.BoolVar(&c.json, "json", false, "print every run as JSON instead of a table")
	fs.StringVar(&c.doc, "doc", "", "put the tables into this `file`, between its marks, too")
	fs.IntVar(&c.rounds, "rounds", 7, "measure so many rounds, after one to warm up")
	fs.IntVar(&c.files, "files", 20_000, "files of the job small")
	fs.IntVar(&c.unchanged, "unchanged", 100_000, "files of the job same")
	fs.Int64Var(&c.bigMiB, "big", 1024, "size of the big file in `MiB`")
	fs.Int64Var(&c.textMiB, "text", 300, "size of the text in `MiB`")
	fs.IntVar(&c.greetings, "greetings", 50, "pulls of the job greet")
	fs.IntVar(&c.nightly, "nightly", 200_000, "files of the job night")
	fids := fs.String("fids", "20000,200000", "sizes of the lists of the job memory")
	fs.StringVar(&c.memArch, "memarch", "386", "GOARCH of the build whose memory is measured; empty: this program as it is")
	opts := fs.String("options", "-a", "rsync options of every pull")
	fs.IntVar(&c.ebuilds, "ebuilds", 150_000, "files of the job emerge")
	jobs := fs.String("jobs", strings.Join(jobNames(), ","), "do these jobs")
	pairs := fs.String("pairs", "", "pairings, such as ours-rsync for our client and rsync's server (default: all; rsync-rsync is always there)")
	quick := fs.Bool("quick", false, "small sizes and one round, to see that everything works; says nothing of speed")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%q: no argument is expected; see -help", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		c.warmUp = false
		c.shrink(given)
	}
	if *quick && !given["fids"] {
		*fids = "500"
	}
	c.options = strings.Fields(*opts)
	return c, c.finish(*fids, *jobs, *pairs)
}

// shrink makes everything small that was not given.
func (c *config) shrink(given map[string]bool) {
	for name, set := range map[string]func(){
		"rounds": func() { c.rounds = 1 }, "files": func() { c.files = 200 }, "unchanged": func() { c.unchanged = 400 },
		"big": func() { c.bigMiB = 4 }, "text": func() { c.textMiB = 2 }, "greetings": func() { c.greetings = 5 },
		"nightly": func() { c.nightly = 600 },
		"ebuilds": func() { c.ebuilds = 300 },
	} {
		if !given[name] {
			set()
		}
	}
}

// finish reads the lists and checks everything.
func (c *config) finish(fids, jobs, pairs string) error {
	for f := range strings.SplitSeq(fids, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return fmt.Errorf("-fids: %q is no count of files", f)
		}
		c.fids = append(c.fids, n)
	}
	if c.rounds < 1 || c.files < 1 || c.unchanged < 1 || c.bigMiB < 1 || c.textMiB < 1 || c.greetings < 1 || c.nightly < 1 || c.ebuilds < 1 {
		return errors.New("-rounds and all sizes must be at least 1")
	}
	known := jobNames()
	for j := range strings.SplitSeq(jobs, ",") {
		if !slices.Contains(known, j) {
			return fmt.Errorf("-jobs: there is no job %q; known are %s", j, strings.Join(known, ", "))
		}
		c.jobs = append(c.jobs, j)
	}
	for _, d := range []*string{&c.dir, &c.profile} {
		if *d == "" {
			continue
		}
		abs, err := filepath.Abs(*d)
		if err != nil {
			return err
		}
		*d = abs
	}
	var err error
	c.pairings, err = parsePairings(pairs)
	return err
}

// wants reports whether a job is to be done.
func (c *config) wants(job string) bool { return slices.Contains(c.jobs, job) }
