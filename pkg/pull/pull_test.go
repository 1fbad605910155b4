package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/player"
	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// bench is a master behind a real daemon, and a slave a day behind it.
type bench struct {
	t             *testing.T
	master, slave string
	addr          string
	out, err      bytes.Buffer // of the last job
}

// newBench serves the given drives of the master.
func newBench(t *testing.T, drives ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, master: filepath.Join(dir, "master"), slave: filepath.Join(dir, "slave")}
	for _, p := range []string{b.master, b.slave} {
		if err := playertest.Build(p, playertest.Options{Fids: 20, Seed: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := playertest.Mutate(b.master, 2); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("uid = %d\ngid = %d\nuse chroot = no\n", os.Geteuid(), os.Getegid())
	for _, d := range drives {
		text += fmt.Sprintf("[%s]\npath = %s/%s\n", d, b.master, d)
	}
	cfg, err := conf.Parse("rsyncd.conf", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = ln.Addr().String()
	srv := &daemon.Server{Config: cfg, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Umask: 0o022, Grace: time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("daemon: %v", err)
		}
	})
	return b
}

// job is a pull as the command line makes it; change may change it.
func (b *bench) job(change func(*Job)) *Job {
	b.t.Helper()
	guard := mounts.NewGuard(mounts.Linux{}, nil)
	p, err := player.Open(b.slave, guard)
	if err != nil {
		b.t.Fatal(err)
	}
	r, ok, err := client.ParseRemote("rsync://" + b.addr)
	if err != nil || !ok {
		b.t.Fatalf("%s: %v", b.addr, err)
	}
	b.out.Reset()
	b.err.Reset()
	j := &Job{
		Player: p, Guard: guard, Master: r, Rsync: Options(true, true, false), Umask: 0o022, Reindex: true,
		Out: &b.out, Err: &b.err,
	}
	if change != nil {
		change(j)
	}
	return j
}

func (b *bench) run(ctx context.Context, change func(*Job)) (Result, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return b.job(change).Run(ctx)
}

// wantCode fails the test unless err leads to this exit code and has these words.
func wantCode(t *testing.T, err error, code proto.Exit, words ...string) {
	t.Helper()
	if proto.ExitCode(err) != code {
		t.Errorf("exit code %d, want %d: %v", proto.ExitCode(err), code, err)
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("the error lacks %q: %v", w, err)
		}
	}
}

func removed(files []player.DatabaseFile) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Name)
	}
	return out
}

func TestRun(t *testing.T) {
	b := newBench(t, "drive0", "drive1")
	all := player.DatabaseFiles()
	dry, err := b.run(t.Context(), func(j *Job) { j.Rsync = Options(true, true, true) })
	if err != nil || !dry.Changed() || len(dry.Removed) > 0 || len(playertest.DatabaseFiles(b.slave)) != len(all) {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	if diff := cmp.Diff(all, removed(dry.Doomed)); diff != "" {
		t.Errorf("doomed (-want +got):\n%s", diff)
	}

	res, err := b.run(t.Context(), nil)
	if err != nil || !res.Changed() || len(res.Doomed) > 0 || res.Elapsed <= 0 || len(res.Drives) != 2 {
		t.Errorf("pull: %+v, %v", res, err)
	}
	if diff := cmp.Diff(all, removed(res.Removed)); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	for i, d := range res.Drives {
		st, planned := d.Stats, dry.Drives[i].Stats
		if d.Err != nil || st.Transferred == 0 || st.Deleted == 0 || st.Transferred != planned.Transferred || st.Deleted != planned.Deleted {
			t.Errorf("%s: done %+v, planned %+v", d.Name, st, planned)
		}
	}
	if err := playertest.Compare(b.master, b.slave); err != nil {
		t.Error(err)
	}
	if len(playertest.DatabaseFiles(b.slave)) != 0 {
		t.Error("the database is still there")
	}

	again, err := b.run(t.Context(), nil)
	if err != nil || again.Changed() || len(again.Removed) > 0 {
		t.Errorf("second pull: %+v, %v", again, err)
	}
	if b.err.Len() > 0 {
		t.Errorf("standard error: %s", &b.err)
	}
}

// A database that cannot be removed keeps everything as it is: it would lie.
func TestRunKeepsAllIfDatabaseStays(t *testing.T) {
	b := newBench(t, "drive0", "drive1")
	tags := filepath.Join(b.slave, "drive0/var/tags")
	if err := errors.Join(os.Remove(tags), os.Mkdir(tags, 0o755)); err != nil {
		t.Fatal(err)
	}
	before := b.copy()
	_, err := b.run(t.Context(), nil)
	wantCode(t, err, proto.ExitFileIO, "drive0: ", "nothing is changed", "tags")
	if err := playertest.Compare(before, b.slave); err != nil {
		t.Errorf("was changed: %v", err)
	}
	if _, err := b.run(t.Context(), func(j *Job) { j.Reindex = false }); err != nil {
		t.Errorf("without reindex: %v", err)
	}
}

// copy copies the slave's music, for Compare.
func (b *bench) copy() string {
	b.t.Helper()
	to := filepath.Join(b.t.TempDir(), "copy")
	if err := playertest.Build(to, playertest.Options{Fids: 20, Seed: 5}); err != nil {
		b.t.Fatal(err)
	}
	if err := playertest.Compare(to, b.slave); err != nil {
		b.t.Fatal(err)
	}
	return to
}

func TestRunLocked(t *testing.T) {
	b := newBench(t, "drive0", "drive1")
	j := b.job(nil)
	lock, err := j.Player.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Run(t.Context())
	wantCode(t, err, proto.ExitStartClient, "another pull or reindex")
	if !errors.Is(err, player.ErrLocked) {
		t.Errorf("not ErrLocked: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Run(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// One drive's trouble is not the other's, unless the master or the user is gone.
func TestRunGoesOn(t *testing.T) {
	t.Run("a missing module", func(t *testing.T) {
		b := newBench(t, "drive1")
		res, err := b.run(t.Context(), nil)
		wantCode(t, err, proto.ExitStartClient, "drive0: ", "Unknown module")
		if len(res.Drives) != 2 || res.Drives[0].Err == nil || res.Drives[1].Err != nil || res.Drives[1].Stats.Transferred == 0 {
			t.Errorf("%+v", res)
		}
		if s := res.Summary(&options.Options{}); !strings.HasPrefix(s, "drive0: not pulled\ndrive1: ") || strings.Contains(s, "kept") {
			t.Errorf("summary:\n%s", s)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		b := newBench(t)
		b.addr = ownport.HoldAddress(t)
		res, err := b.run(t.Context(), nil)
		wantCode(t, err, proto.ExitSocketIO, "drive0: ", "refused")
		if len(res.Drives) != 1 || res.Changed() {
			t.Errorf("%+v", res)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		b := newBench(t, "drive0", "drive1")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		res, err := b.run(ctx, nil)
		wantCode(t, err, proto.ExitSignal)
		if len(res.Drives) != 1 || res.Changed() {
			t.Errorf("%+v", res)
		}
	})
}

func TestRunEmptyMaster(t *testing.T) {
	b := newBench(t, "drive0", "drive1")
	for _, d := range []string{"drive0", "drive1"} {
		fids := filepath.Join(b.master, d, "fids")
		if err := errors.Join(os.RemoveAll(fids), os.Mkdir(fids, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	before := b.copy()
	_, err := b.run(t.Context(), nil)
	wantCode(t, err, proto.ExitFileSelect, "drive0: ", "drive1: ", "--allow-empty")
	// Without deletions there is nothing to fear.
	if _, err := b.run(t.Context(), func(j *Job) { j.Rsync = Options(true, false, false) }); err != nil {
		t.Errorf("without --delete: %v", err)
	}
	for _, d := range []string{"drive0", "drive1"} { // folder times are the master's now
		if n, err := os.ReadDir(filepath.Join(before, d, "fids")); err != nil || len(n) == 0 {
			t.Fatal(err)
		} else if m, err := os.ReadDir(filepath.Join(b.slave, d, "fids")); err != nil || len(m) != len(n) {
			t.Errorf("%s: %d entries of %d, %v", d, len(m), len(n), err)
		}
	}
	res, err := b.run(t.Context(), func(j *Job) { j.AllowEmpty = true })
	if err != nil || len(res.Removed) != len(player.DatabaseFiles()) {
		t.Errorf("%+v, %v", res, err)
	}
	if err := playertest.Compare(b.master, b.slave); err != nil {
		t.Error(err)
	}
}

func TestRunWithoutDrives(t *testing.T) {
	b := newBench(t, "drive0")
	b.slave = t.TempDir()
	_, err := b.run(t.Context(), func(j *Job) { j.Reindex = false })
	wantCode(t, err, proto.ExitFileSelect, b.slave, "--root")
}

// Options are what rsync makes of the document's command line.
func TestOptions(t *testing.T) {
	for line, got := range map[string]*options.Options{
		"-au --delete --fsync x .":    Options(true, true, false),
		"-a --delete --fsync -n x .":  Options(false, true, true),
		"-auv --fsync --no-v x .":     Options(true, false, false),
		"-a --no-D -D -u --fsync x .": Options(true, false, false),
	} {
		want, err := options.Parse(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		want.Args = nil
		if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestSummary(t *testing.T) {
	files := []player.DatabaseFile{{Name: "database3"}, {Name: "tags"}}
	good := transfer.Stats{Files: 1200, Dirs: 3, Transferred: 2, Deleted: 1, TotalSize: 3000, Read: 1400, Written: 100}
	tests := []struct {
		name string
		res  Result
		dry  bool
		want string
	}{
		{"changed", Result{Drives: []DriveResult{{Name: "drive0", Stats: good}}, Removed: files}, false,
			"drive0: 1,200 files, 2 transferred, 1 deleted; received 1.4 kB, sent 100 bytes, speedup 2.00\n" +
				"database: removed database3, tags before the first change; the player rebuilds it at its next start\n"},
		{"dry run", Result{Drives: []DriveResult{{Name: "drive1", Stats: good}}, Doomed: files}, true,
			"drive1: 1,200 files, 2 to transfer, 1 to delete; received 1.4 kB, sent 100 bytes, speedup 2.00\n" +
				"database: would be removed before the first change (database3, tags)\n"},
		{"unchanged", Result{Drives: []DriveResult{{Name: "drive0", Stats: transfer.Stats{Files: 1, Newer: 2, Read: 1}}}}, false,
			"drive0: 1 files, 0 transferred, 0 deleted; received 1 bytes, sent 0 bytes, speedup 0.00\n" +
				"drive0: 2 files are newer here than on the master and stay as they are (--no-update takes the master's)\n" +
				"database: kept, no music has changed\n"},
		{"failed", Result{Drives: []DriveResult{{Name: "drive0", Err: errors.New("x")}}}, false, "drive0: not pulled\n"},
		{"failed midway", Result{Drives: []DriveResult{{Name: "drive0", Stats: good, Err: errors.New("x")}}}, false,
			"drive0: 1,200 files, 2 transferred, 1 deleted; received 1.4 kB, sent 100 bytes, speedup 2.00\n"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.res.Summary(&options.Options{DryRun: tt.dry})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
