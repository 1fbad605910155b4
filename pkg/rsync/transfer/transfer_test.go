package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

func TestUpdateLeavesNewerFiles(t *testing.T) {
	p := newPair(t)
	p.opt.Update = true
	p.file(p.src+"/older here", "new", 10)
	p.file(p.dst+"/older here", "old", 0)
	p.file(p.src+"/newer here", "theirs", 0)
	p.file(p.dst+"/newer here", "mine", 10)
	p.file(p.src+"/same time", "theirs!", 0)
	p.file(p.dst+"/same time", "mine", 0)
	p.mustRun()
	for name, want := range map[string]string{"older here": "new", "newer here": "mine", "same time": "theirs!"} {
		if got := p.content(p.dst + "/" + name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if p.got.Newer != 1 {
		t.Errorf("%d files counted as newer, want 1", p.got.Newer)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	p := newPair(t)
	p.opt.DryRun, p.opt.Delete = true, options.DeleteDefault
	p.dest.BeforeChange = func() error { t.Error("the dry run wants to change something"); return nil }
	p.file(p.src+"/new/file", "x", 0)
	p.file(p.src+"/changed", "new content", 5)
	p.file(p.dst+"/changed", "old", 0)
	p.file(p.dst+"/extra/file", "y", 0)
	if err := os.Symlink("x", p.src+"/link"); err != nil {
		t.Fatal(err)
	}
	before := p.tree(p.dst) + p.content(p.dst+"/changed")
	p.mustRun()
	if after := p.tree(p.dst) + p.content(p.dst+"/changed"); after != before {
		t.Errorf("the dry run made %q of %q", after, before)
	}
	for _, want := range []string{"item new/file", "item new", "item link", "item changed", "deleted extra/file", "deleted extra"} {
		if !slices.Contains(p.heard, want) {
			t.Errorf("the dry run does not tell %q; it tells %q", want, p.heard)
		}
	}
	if p.got.Transferred != 2 || p.got.Deleted != 2 {
		t.Errorf("counts %d transfers and %d deletions, want 2 and 2", p.got.Transferred, p.got.Deleted)
	}
}

func TestBeforeChangeComesFirst(t *testing.T) {
	for name, setup := range map[string]func(p *pair){
		"a new file":       func(p *pair) { p.file(p.src+"/new", "x", 0) },
		"a changed file":   func(p *pair) { p.file(p.src+"/f", "xyz", 0); p.file(p.dst+"/f", "x", 0) },
		"a deletion":       func(p *pair) { p.file(p.dst+"/extra", "x", 0) },
		"a deleted folder": func(p *pair) { p.file(p.dst+"/extra/x", "x", 0) },
		"a new folder":     func(p *pair) { p.file(p.src+"/d/x", "x", 0) },
		"another type":     func(p *pair) { p.file(p.src+"/x", "x", 0); p.file(p.dst+"/x/y", "y", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.opt.Delete = options.DeleteDefault
			setup(p)
			state := func() string {
				names := slices.DeleteFunc(strings.Fields(p.tree(p.dst)), rootfs.IsTempName)
				return strings.Join(names, " ") + p.content(p.dst+"/f")
			}
			before, calls := state(), 0
			p.dest.BeforeChange = func() error {
				calls++
				if now := state(); now != before {
					t.Errorf("before the hook %q became %q", before, now)
				}
				return nil
			}
			p.mustRun()
			if calls != 1 {
				t.Errorf("the hook was called %d times", calls)
			}
			calls = 0
			p.mustRun()
			if calls != 0 {
				t.Error("the hook was called though nothing changes")
			}
		})
	}
}

func TestBeforeChangeErrorChangesNothing(t *testing.T) {
	p := newPair(t)
	p.opt.Delete = options.DeleteDefault
	p.file(p.src+"/new", "x", 0)
	p.file(p.src+"/f", "xyz", 0)
	p.file(p.dst+"/f", "x", 0)
	p.file(p.dst+"/extra", "x", 0)
	before := p.tree(p.dst)
	cause := errors.New("the database cannot be removed")
	p.dest.BeforeChange = func() error { return cause }
	p.run(context.Background())
	if !errors.Is(p.recvErr, cause) {
		t.Errorf("the run ends with %v", p.recvErr)
	}
	if after := p.tree(p.dst); after != before || p.content(p.dst+"/f") != "x" {
		t.Errorf("%q became %q", before, after)
	}
}

func TestAcceptStopsBeforeAnything(t *testing.T) {
	p := newPair(t)
	p.opt.Delete = options.DeleteBefore
	p.file(p.dst+"/extra", "x", 0)
	p.dest.Accept = func(st Stats) error {
		if st.Files != 0 || st.Dirs != 1 {
			t.Errorf("counts are %+v", st)
		}
		return errors.New("no")
	}
	p.run(context.Background())
	if p.recvErr == nil || p.content(p.dst+"/extra") != "x" {
		t.Errorf("error %v, extra holds %q", p.recvErr, p.content(p.dst+"/extra"))
	}
}

func TestDeletions(t *testing.T) {
	for _, mode := range []options.DeleteMode{options.DeleteNone, options.DeleteDefault, options.DeleteBefore, options.DeleteDuring, options.DeleteAfter} {
		p := newPair(t)
		p.opt.Delete = mode
		p.file(p.src+"/keep/a", "a", 0)
		p.file(p.dst+"/keep/b", "b", 0)
		p.file(p.dst+"/.hidden", "b", 0)
		p.file(p.dst+"/gone/deep/c", "c", 0)
		p.mustRun()
		want := "keep keep/a"
		if mode == options.DeleteNone {
			want = ".hidden gone gone/deep gone/deep/c keep keep/a keep/b"
		}
		if got := p.tree(p.dst); got != want {
			t.Errorf("mode %d leaves %q, want %q", mode, got, want)
		}
	}
}

func TestDeletionsSpareProtected(t *testing.T) {
	p := newPair(t)
	p.opt.Delete = options.DeleteDefault
	rules := filter.New(filter.Options{})
	if err := rules.AddExclude("*.keep"); err != nil {
		t.Fatal(err)
	}
	p.rules = NewClientRules(rules, nil, "")
	p.file(p.src+"/not sent.keep", "x", 0)
	p.file(p.dst+"/a.keep", "x", 0)
	p.file(p.dst+"/dir/b.keep", "x", 0)
	p.file(p.dst+"/dir/c", "x", 0)
	p.file(p.dst+"/d", "x", 0)
	p.mustRun()
	if got := p.tree(p.dst); got != "a.keep dir dir/b.keep" {
		t.Errorf("left is %q", got)
	}
}

func TestMaxDelete(t *testing.T) {
	p := newPair(t)
	p.opt.Delete = options.DeleteDefault
	p.opt.MaxDelete = options.Number{Set: true, Value: 2}
	for _, n := range []string{"a", "b", "c", "d"} {
		p.file(p.dst+"/"+n, n, 0)
	}
	p.run(context.Background())
	if code := proto.ExitCode(p.recvErr); code != proto.ExitDelLimit {
		t.Errorf("ends with %d (%v), want 25", code, p.recvErr)
	}
	if got := p.tree(p.dst); len(strings.Fields(got)) != 2 {
		t.Errorf("left is %q", got)
	}
}

func TestSenderErrorForbidsDeletions(t *testing.T) {
	p := newPair(t)
	p.opt.Delete = options.DeleteDefault
	p.file(p.src+"/a", "a", 0)
	p.file(p.dst+"/precious", "x", 0)
	send, recv := p.links()
	done := make(chan error, 1)
	go func() {
		o := p.opt
		sources := []Source{{Root: p.root(p.src), Name: "."}, {Name: "elsewhere", Err: os.ErrPermission}}
		_, err := Send(context.Background(), send, &o, sources, nil, &listener{})
		done <- err
	}()
	hear := &listener{}
	_, err := Receive(context.Background(), recv, &p.opt, Dest{Root: p.root(p.dst)}, 0o022, nil, hear)
	if code := proto.ExitCode(err); code != proto.ExitPartial {
		t.Errorf("receiving ends with %v", err)
	}
	if code := proto.ExitCode(<-done); code != proto.ExitPartial {
		t.Errorf("sending ends with code %d", code)
	}
	if got := p.tree(p.dst); got != "a precious" {
		t.Errorf("left is %q, heard %q", got, hear.heard)
	}
}

// A basis that changes between its sums and its use must not end up in a file.
func TestChangedBasisIsSentAgain(t *testing.T) {
	for _, version := range []int{26, 27, 29, 30, 31} {
		p := newPair(t)
		p.version = version
		content := strings.Repeat("0123456789abcdef", 5000)
		p.file(p.src+"/f", content+"new", 10)
		p.file(p.dst+"/f", content, 0)
		once := true
		p.onItem = func(e *filelist.Entry) {
			if e.Path() == "f" && once {
				once = false
				p.file(p.dst+"/f", strings.ToUpper(content), 0)
			}
		}
		p.mustRun()
		if p.content(p.dst+"/f") != content+"new" {
			t.Errorf("version %d: the file is wrong", version)
		}
		if !slices.ContainsFunc(p.heard, func(s string) bool { return strings.Contains(s, "failed verification") }) {
			t.Errorf("version %d: no second pass was needed: the test tests nothing", version)
		}
	}
}

func TestSkippingOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(o *options.Options)
		want string // contents of new, changed, retimed
	}{
		{"none", func(*options.Options) {}, "N CC T"},
		{"existing", func(o *options.Options) { o.IgnoreNonExisting = true }, "- CC T"},
		{"ignore-existing", func(o *options.Options) { o.IgnoreExisting = true }, "N c t"},
		{"size-only", func(o *options.Options) { o.SizeOnly = true }, "N CC t"},
		{"max-size", func(o *options.Options) { o.MaxSize = options.Number{Set: true, Value: 1} }, "N c T"},
		{"min-size", func(o *options.Options) { o.MinSize = options.Number{Set: true, Value: 2} }, "- CC t"},
		{"modify-window", func(o *options.Options) { o.ModifyWindow = options.Number{Set: true, Value: 5} }, "N CC t"},
		{"checksum", func(o *options.Options) { o.Checksum = true }, "N CC T"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			tc.set(&p.opt)
			p.file(p.src+"/new", "N", 0)
			p.file(p.src+"/changed", "CC", 0)
			p.file(p.dst+"/changed", "c", 0)
			p.file(p.src+"/retimed", "T", 5)
			p.file(p.dst+"/retimed", "t", 0)
			p.mustRun()
			got := ""
			for _, n := range []string{"new", "changed", "retimed"} {
				c := p.content(p.dst + "/" + n)
				if c[0] == '(' {
					c = "-"
				}
				got += c + " "
			}
			if strings.TrimSpace(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUmaskWithoutPerms(t *testing.T) {
	p := newPair(t)
	p.opt.Perms = false
	p.file(p.src+"/f", "x", 0)
	if err := os.Chmod(p.src+"/f", 0o6777); err != nil {
		t.Fatal(err)
	}
	p.mustRun()
	info, err := os.Stat(p.dst + "/f")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o755 {
		t.Errorf("mode is %v, want 0755", info.Mode())
	}
}

func TestCancelEndsAtOnce(t *testing.T) {
	p := newPair(t)
	p.file(p.src+"/f", strings.Repeat("x", 50_000_000), 0)
	ctx, cancel := context.WithCancel(context.Background())
	p.onItem = func(*filelist.Entry) { cancel() }
	start := time.Now()
	p.run(ctx)
	if p.recvErr == nil {
		t.Error("the cancelled run ends well")
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("cancelling took %v", d)
	}
	if got := p.tree(p.dst); got != "" {
		t.Errorf("left behind: %q", got)
	}
}

func TestSweepTemps(t *testing.T) {
	p := newPair(t)
	p.dest.SweepTemps = true
	p.file(p.src+"/f", "x", 0)
	root := p.root(p.dst)
	temp, err := root.CreateTemp("f")
	if err != nil {
		t.Fatal(err)
	}
	defer temp.Abort()
	p.file(p.dst+"/.mine.backup", "not a leftover", 0)
	p.mustRun()
	if got := p.tree(p.dst); got != ".mine.backup f" {
		t.Errorf("left is %q", got)
	}
}

func TestFaultsAreContained(t *testing.T) {
	err := contain(func() error {
		var list []int
		return fmt.Errorf("%d", list[3])
	})
	var f *Fault
	if !errors.As(err, &f) || len(f.Stack) == 0 || proto.ExitCode(err) != proto.ExitIPC {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the text for the peer has a stack in it: %v", err)
	}
}

// A nameless side sends lists of names that are empty, but sends them.
func TestNamelessSendsNoNames(t *testing.T) {
	for _, nameless := range []bool{false, true} {
		p := newPair(t)
		p.opt.NumericIDs, p.opt.Owner, p.opt.Group = false, true, true
		p.file(p.src+"/f", "x", 0)
		send, recv := p.links()
		send.Nameless = nameless
		go func() {
			_, _ = Send(context.Background(), send, &p.opt, []Source{{Root: p.root(p.src), Name: "."}}, nil, &listener{})
		}()
		c := newCommon(recv, &p.opt, nil, &listener{})
		recv.R.StartMux(nil)
		list, err := filelist.NewDecoder(recv.Caps, c.fields()).Read(recv.R, nil)
		recv.Abort()
		if err != nil {
			t.Fatal(err)
		}
		if got := len(list.Users) == 0 && len(list.Groups) == 0; got != nameless {
			t.Errorf("nameless %v: users %v, groups %v", nameless, list.Users, list.Groups)
		}
	}
}

// A file that could not be transferred weighs more than one that vanished, and
// that more than deletions that were held back.
func TestResult(t *testing.T) {
	for _, tt := range []struct {
		ioError int32
		failed  bool
		want    proto.Exit
	}{
		{0, false, proto.ExitOK},
		{proto.IOErrDelLimit, false, proto.ExitDelLimit},
		{proto.IOErrDelLimit | proto.IOErrVanished, false, proto.ExitVanished},
		{proto.IOErrDelLimit | proto.IOErrVanished | proto.IOErrGeneral, false, proto.ExitPartial},
		{proto.IOErrDelLimit, true, proto.ExitPartial},
		{0, true, proto.ExitPartial},
	} {
		c := &common{}
		c.ioError.Store(tt.ioError)
		c.xferErr.Store(tt.failed)
		if got := proto.ExitCode(c.result()); got != tt.want {
			t.Errorf("io error %d, failed %v: code %d, want %d", tt.ioError, tt.failed, got, tt.want)
		}
	}
}
