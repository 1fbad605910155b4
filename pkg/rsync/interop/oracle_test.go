package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// oracle compares what we make of a command line with what rsync makes of it:
// rsync copies src to a folder of its own, then each role of ours does, and
// tree, output and exit code must be the same.
type oracle struct {
	flags  []string
	source func(s *sandbox, dir string) // fills what is copied
	dest   func(s *sandbox, dir string) // fills what is there before; nil: nothing
	atimes bool                         // compare access times
	silent bool                         // do not compare the output
	beside bool                         // compare what is beside the destination, too
	eats   bool                         // the source loses files: compare what is left of it
	only   string                       // what of the source is copied, "" for all
	below  string                       // where below the destination it goes
	roles  []string
}

// outcome is what a run leaves.
type outcome struct {
	tree, out string
	code      int
}

// allRoles are the places in which an engine of ours can be.
func allRoles() []string {
	return []string{"our client pulls", "our client pushes", "our server sends", "our server receives", "we copy"}
}

// someRoles picks two of the roles, others for each i, so that a long table of
// flags tries all of them.
func someRoles(i int) []string {
	all := allRoles()
	return []string{all[i%5], all[(i+3)%5]}
}

// role has us do what the flags say, in one of our roles.
func (o oracle) role(s *sandbox, role, dst string) outcome {
	if strings.HasPrefix(role, "our server") {
		return o.rsync(s, role, s.rsh(), []string{"--rsync-path=" + os.Args[0]}, dst)
	}
	return o.ours(s, role, s.rsh(), dst)
}

func (o oracle) run(t *testing.T) {
	t.Helper()
	roles := o.roles
	if roles == nil {
		roles = allRoles()
	}
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			o.source(s, s.src)
			want, got := o.prepared(s, "want"), o.prepared(s, "got")
			rsh := s.rsh()
			unread := o.readTimes(t, s.src)
			w := o.rsync(s, role, rsh, nil, want)
			left := ""
			if o.eats {
				left = o.snapshot(t, s.src)
				s.must(os.RemoveAll(s.src))
				o.source(s, s.src)
			}
			wantRead := o.readTimes(t, s.src)
			for p, at := range unread {
				s.must(accessed(p, at))
			}
			g := o.role(s, role, got)
			if o.eats {
				if now := o.snapshot(t, s.src); now != left {
					t.Errorf("the source:%s", difference(left, now))
				}
			}
			if o.beside {
				want, got = filepath.Dir(want), filepath.Dir(got)
			}
			w.tree, g.tree = o.snapshot(t, want), o.snapshot(t, got)
			if d := cmp.Diff(wantRead, o.readTimes(t, s.src)); d != "" {
				t.Errorf("when the source was read, with rsync (-) and us (+):\n%s", d)
			}
			o.compare(t, w, g)
		})
	}
}

// readTimes gives the access times of a tree's files and links.
func (o oracle) readTimes(t *testing.T, root string) map[string]int64 {
	t.Helper()
	times := map[string]int64{}
	if !o.atimes {
		return times
	}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil && !d.IsDir() {
			err = unix.Lstat(p, &st)
			sec, _ := st.Atim.Unix()
			times[p] = min(sec, then*3/2) // whatever the time is now
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// prepared makes a destination, in a folder whose name is the same each time.
func (o oracle) prepared(s *sandbox, name string) string {
	dir := filepath.Join(s.dir, name, "dst")
	s.must(os.MkdirAll(dir, 0o755))
	if o.dest != nil {
		o.dest(s, dir)
	}
	at := time.Unix(1_000_000_000, 0)
	s.must(os.Chtimes(dir, at, at))
	return dir
}

// words is the command line for a role, with the destination dst.
func (o oracle) words(s *sandbox, role, rsh, dst string) []string {
	src := s.src + "/"
	if o.only != "" {
		src = s.src + o.only
	}
	if o.below == "" {
		o.below = "/"
	}
	dst += o.below
	args := slices.Clone(o.flags)
	switch role {
	case "our client pulls", "our server sends":
		return append(args, "-e", rsh, "host:"+src, dst)
	case "our client pushes", "our server receives":
		return append(args, "-e", rsh, src, "host:"+dst)
	}
	return append(args, src, dst)
}

func (o oracle) rsync(s *sandbox, role, rsh string, more []string, dst string) outcome {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "rsync", append(more, o.words(s, role, rsh, dst)...)...)
	cmd.Env = append(os.Environ(), beServer+"=1")
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) || ctx.Err() != nil {
		s.t.Fatalf("rsync %q: %v\n%s", cmd.Args, err, errs.String())
	}
	if errs.Len() > 0 {
		s.t.Logf("rsync says: %s", errs.String())
	}
	return outcome{out: out.String(), code: cmd.ProcessState.ExitCode()}
}

func (o oracle) ours(s *sandbox, role, rsh, dst string) outcome {
	s.t.Helper()
	return runWords(s, o.words(s, role, rsh, dst))
}

// copies has us copy here.
func (o oracle) copies(s *sandbox, from, to string) outcome {
	s.t.Helper()
	return runWords(s, append(slices.Clone(o.flags), from, to))
}

func runWords(s *sandbox, words []string) outcome {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	opt, err := options.Parse(words)
	if err != nil {
		s.t.Fatal(err)
	}
	route, err := client.ParseRoute(opt.Args)
	if err != nil {
		s.t.Fatal(err)
	}
	var out, errs lockedBuffer
	printer := &client.Printer{Out: &out, Err: &errs, Options: opt, Sending: route.To != nil, PeerTells: route.To != nil}
	c := &client.Client{Options: opt, Umask: 0o022, Shell: client.Shell{Stderr: &errs}, Observer: printer, Agreed: printer.Agreed}
	switch {
	case len(route.From) > 0:
		to, openErr := server.OpenDest(route.Dest, opt, func(dir string) {
			if opt.Info(options.InfoName) > 0 || opt.Format() != "" {
				fmt.Fprintln(&out, "created directory "+dir)
			}
		})
		if openErr != nil {
			s.t.Fatal(openErr)
		}
		defer to.Root.Close()
		_, err = c.Pull(ctx, route.From, to)
	case route.To == nil:
		_, err = c.Copy(ctx, route.Sources, route.Dest)
	default:
		sources, done, openErr := server.OpenSources(route.Sources, opt)
		if openErr != nil {
			s.t.Fatal(openErr)
		}
		defer done()
		_, err = c.Push(ctx, sources, *route.To)
	}
	if err != nil {
		fmt.Fprintln(&errs, err)
	}
	if text := errs.String(); text != "" {
		s.t.Logf("we say: %s", text)
	}
	return outcome{out: out.String(), code: int(proto.ExitCode(err))}
}

func (o oracle) compare(t *testing.T, want, got outcome) {
	t.Helper()
	if want.code != got.code {
		t.Errorf("exit code %d, with rsync %d", got.code, want.code)
	}
	if want.tree != got.tree {
		t.Errorf("the tree:%s", difference(want.tree, got.tree))
	}
	if a, b := o.lines(want.out), o.lines(got.out); !o.silent && a != b {
		t.Errorf("the output:%s", difference(a, b))
	}
}

// lines is output without the totals of -v.
func (o oracle) lines(out string) string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(out, "/want/dst", "/got/dst")), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "sent ") || strings.HasPrefix(l, "total size is ") || l == "" ||
			strings.HasSuffix(l, "file list ... ") || strings.HasSuffix(l, "file list ... done") || l == "done" || strings.HasSuffix(l, "incremental file list") ||
			strings.HasSuffix(l, "very old version of rsync, upgrade recommended.")
	})
	sort.Strings(lines) // messages overtake items, in rsync as here
	return strings.Join(lines, "\n")
}

// difference shows the lines that two texts do not share.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for _, l := range a {
		if !slices.Contains(b, l) {
			fmt.Fprintf(&out, "\n  rsync: %s", l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			fmt.Fprintf(&out, "\n  we:    %s", l)
		}
	}
	if out.Len() == 0 {
		return " the same lines in another order\n" + want + "\n--\n" + got
	}
	return out.String()
}

// snapshot is the tree with its extended attributes, ACLs among them. Access
// times are taken before anything is read.
func (o oracle) snapshot(t *testing.T, root string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		for _, name := range attributeNames(p) {
			buf := make([]byte, 1<<16)
			n, err := unix.Lgetxattr(p, name, buf)
			lines = append(lines, fmt.Sprintf("%-30s %s = %q %v", rel, name, buf[:max(n, 0)], err))
		}
		return nil
	})
	for p, sec := range o.readTimes(t, root) {
		rel, _ := filepath.Rel(root, p)
		lines = append(lines, fmt.Sprintf("%-30s read at %d", rel, sec))
	}
	sort.Strings(lines)
	if err != nil {
		t.Fatal(err)
	}
	now := regexp.MustCompile(` 1[6-9]\d{8}\b`) // whatever the time was
	return now.ReplaceAllString(strings.Join(append(lines, snapshot(t, root)), "\n"), " now")
}

// attributeNames lists a file's extended attributes.
func attributeNames(p string) []string {
	buf := make([]byte, 1<<16)
	n, err := unix.Llistxattr(p, buf)
	if err != nil || n <= 0 {
		return nil
	}
	names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	sort.Strings(names)
	return names
}
