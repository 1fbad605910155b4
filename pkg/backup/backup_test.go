package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// TestWeek lives through a week of nights: each snapshot stays as the source was
// in its night, equal files are one on the disk, and old ones go by the policy.
func TestWeek(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	were := map[string]map[string]string{}
	keep := Policy{Daily: 3, Weekly: 2}
	for night := range 7 {
		switch night {
		case 1:
			b.must(os.Chmod(b.src+"/mode", 0o600))
		case 2:
			b.write("new", "in the third night")
		case 3:
			b.must(os.RemoveAll(b.src + "/new"))
		case 5:
			b.must(os.Rename(b.src+"/d", b.src+"/e"))
		}
		b.write("changes", fmt.Sprint("night ", night))
		res, err := b.run(func(j *Job) { j.Keep = keep })
		if err != nil {
			t.Fatalf("night %d: %v\n%s", night, err, &b.out)
		}
		were[res.Snapshot.Name] = b.tree(b.src)
		if b.latest() != res.Snapshot.Name {
			t.Errorf("night %d: latest is %q, not %q", night, b.latest(), res.Snapshot.Name)
		}
		want := 1 // changes
		if night == 0 {
			want = 4
		} else if night == 2 || night == 5 {
			want = 2
		}
		if res.Stats.Transferred != want && night != 1 { // a new mode is a local copy
			t.Errorf("night %d: %d files transferred, want %d\n%s", night, res.Stats.Transferred, want, &b.out)
		}
		for _, n := range b.names() {
			if n == latest {
				continue
			}
			if diff := cmp.Diff(were[n], b.tree(filepath.Join(b.dst, n))); diff != "" {
				t.Fatalf("night %d: %s is not as the source was:\n%s", night, n, diff)
			}
		}
		b.now = b.now.Add(24 * time.Hour)
	}
	want := []string{"2026-11-20T030000Z", "2026-11-21T030000Z", "2026-11-22T030000Z", "latest"}
	if diff := cmp.Diff(want, b.names()); diff != "" {
		t.Errorf("kept:\n%s", diff)
	}
	first := inode(t, b.dst+"/"+want[0]+"/kept")
	for _, n := range want {
		for _, f := range []string{"/kept", "/another name"} {
			if inode(t, b.dst+"/"+n+"/."+f) != first {
				t.Errorf("%s%s is no link to the same file", n, f)
			}
		}
	}
}

// TestDryRun writes nothing, and tells what would come and go.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dry := func(j *Job) { j.Keep = Policy{Last: 1} }
	if res, err := b.run(dry, "-n", "-v"); err != nil || len(b.names()) != 0 || res.Stats.Transferred != 3 {
		t.Fatalf("%v, %q, %+v\n%s", err, b.names(), res.Stats, &b.out)
	}
	if _, err := os.Stat(b.dst + "/" + lockName); err == nil {
		t.Error("a dry run has left a lock")
	}
	_, err := b.run(nil)
	b.must(err)
	before := b.names()
	b.write("new", "x")
	b.must(os.Remove(b.src + "/mode"))
	b.now = b.now.Add(24 * time.Hour)
	b.out.Reset()
	res, err := b.run(dry, "-n", "-v")
	b.must(err)
	if diff := cmp.Diff(before, b.names()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
	text := b.out.String() + res.Summary(true, true)
	for _, want := range []string{"new\n", "deleting mode\n", "1 to transfer", "kept: 2026-11-17T030000Z, last 1 of 1", "would be deleted: 2026-11-16T030000Z, not among last=1"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

// TestResume goes on with what a run has brought that was cut off: its files are
// linked, not copied, and no attribute of a file in a snapshot changes.
func TestResume(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.run(nil)
	b.must(err)
	was := b.tree(b.dst + "/" + first.Snapshot.Name)
	// A run that was cut off had linked one file and brought another.
	cut := b.dst + "/" + unfinished + "2026-11-16T120000Z"
	b.must(os.Mkdir(cut, 0o700))
	b.must(os.Link(b.dst+"/"+first.Snapshot.Name+"/mode", cut+"/mode"))
	b.write("brought", "before the power went")
	b.must(os.WriteFile(cut+"/brought", []byte("before the power went"), 0o644))
	b.must(os.Chtimes(cut+"/brought", b.now, b.now))
	b.must(os.WriteFile(cut+"/gone since", nil, 0o644))
	brought := inode(t, cut+"/brought")
	b.must(os.Chmod(b.src+"/mode", 0o600))
	b.now = b.now.Add(24 * time.Hour)
	res, err := b.run(nil)
	if err != nil || !res.Resumed || res.Stats.Transferred > 1 {
		t.Fatalf("%+v, %v\n%s", res, err, &b.out)
	}
	if got := inode(t, b.dst+"/latest/brought"); got != brought {
		t.Error("what had been brought was brought again")
	}
	if diff := cmp.Diff(b.tree(b.src), b.tree(b.dst+"/"+res.Snapshot.Name)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(was, b.tree(b.dst+"/"+first.Snapshot.Name)); diff != "" {
		t.Errorf("an old snapshot has changed:\n%s", diff)
	}
	if diff := cmp.Diff([]string{first.Snapshot.Name, res.Snapshot.Name, latest}, b.names()); diff != "" {
		t.Error(diff)
	}
}

// TestPartial: a file that cannot be had is no good snapshot, and nothing old
// goes for it.
func TestPartial(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good, err := b.run(nil)
	b.must(err)
	b.now = b.now.Add(24 * time.Hour)
	bad := func(j *Job) {
		j.Keep = Policy{Last: 1}
		j.Route.Sources = append(j.Route.Sources, b.src+"/there is no such")
	}
	_, err = b.run(bad)
	b.fails(err, proto.ExitPartial, "left unfinished")
	if b.latest() != good.Snapshot.Name || !slices.Contains(b.names(), unfinished+"2026-11-17T030000Z") {
		t.Errorf("latest is %q; %q", b.latest(), b.names())
	}
	res, err := b.run(func(j *Job) { bad(j); j.AllowPartial = true })
	b.fails(err, proto.ExitPartial, "nothing old is deleted")
	if want := []string{good.Snapshot.Name, res.Snapshot.Name, latest}; !res.Snapshot.Partial || !slices.Equal(b.names(), want) || b.latest() != good.Snapshot.Name {
		t.Errorf("%q, want %q; latest is %q", b.names(), want, b.latest())
	}
	b.now = b.now.Add(24 * time.Hour)
	res, err = b.run(func(j *Job) { j.Keep = Policy{Last: 1} })
	b.must(err)
	if want := []string{res.Snapshot.Name, latest}; !slices.Equal(b.names(), want) {
		t.Errorf("%q, want %q", b.names(), want)
	}
}

// TestRefused: what is refused, and that nothing is written then.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.run(func(j *Job) { j.Route.To = &client.Remote{Host: "h", Shell: true} })
	b.fails(err, proto.ExitSyntax, "on another machine")
	_, err = b.run(func(j *Job) { j.Route.Dest = b.dst + "/missing" })
	b.fails(err, proto.ExitFileSelect, "mounted", "mkdir -m 700 "+b.dst+"/missing")
	_, err = b.run(func(j *Job) { j.Route.Dest = b.src })
	b.fails(err, proto.ExitSyntax, "into itself")
	b.must(os.Remove(b.src + "/" + lockName))
	if n := len(b.names()); n != 0 {
		t.Errorf("%q", b.names())
	}
	other, err := Open(b.dst)
	b.must(err)
	defer other.Close()
	b.must(other.Lock())
	_, err = b.run(nil)
	if b.fails(err, proto.ExitStartClient, "another backup"); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	_, err = b.run(nil, "-n") // looking is allowed
	b.must(err)
	b.must(other.Close())
	_, err = b.run(nil)
	b.must(err)
}

// TestEmptySource: a disk that is not mounted makes no snapshot.
func TestEmptySource(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good, err := b.run(nil)
	b.must(err)
	b.must(os.RemoveAll(b.src))
	b.must(os.Mkdir(b.src, 0o755))
	b.now = b.now.Add(24 * time.Hour)
	last := func(j *Job) { j.Keep = Policy{Last: 1} }
	_, err = b.run(last)
	b.fails(err, proto.ExitFileSelect, "mounted", "--allow-empty")
	if want := []string{good.Snapshot.Name, latest}; !slices.Equal(b.names(), want) {
		t.Errorf("%q, want %q", b.names(), want)
	}
	b.must(os.RemoveAll(b.src))
	if _, err = b.run(last); err == nil || b.latest() != good.Snapshot.Name {
		t.Errorf("%v; latest is %q", err, b.latest())
	}
	b.must(os.Mkdir(b.src, 0o755))
	if _, err = b.run(func(j *Job) { last(j); j.AllowEmpty = true }); err != nil || b.latest() == good.Snapshot.Name {
		t.Errorf("%v; latest is %q", err, b.latest())
	}
}

// TestVerify finds what has gone bad on the disk without a new time or size.
func TestVerify(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	verify := func(j *Job) { j.Verify = true }
	good, err := b.run(verify)
	if err != nil || good.Verified == nil || good.Verified.Files != 4 || len(good.Verified.Changed) != 0 {
		t.Fatalf("%+v, %v", good.Verified, err)
	}
	spoilt := b.dst + "/latest/mode"
	info, err := os.Stat(spoilt)
	b.must(err)
	b.must(os.WriteFile(spoilt, []byte("OF another mode one night"), 0o644))
	b.must(os.Chtimes(spoilt, info.ModTime(), info.ModTime()))
	b.now = b.now.Add(24 * time.Hour)
	res, err := b.run(verify)
	b.fails(err, proto.ExitPartial, "1 of 4 files", "(mode)", "--checksum")
	if diff := cmp.Diff([]string{"mode"}, res.Verified.Differ); diff != "" || b.latest() != good.Snapshot.Name {
		t.Errorf("%s; latest is %q", diff, b.latest())
	}
	if _, err = b.run(verify, "--checksum"); err != nil || b.latest() == good.Snapshot.Name {
		t.Errorf("%v; latest is %q\n%s", err, b.latest(), &b.out)
	}
}

// TestInside: a backup's folder below the source is not saved into itself.
func TestInside(t *testing.T) {
	t.Parallel()
	for _, inside := range []string{"var/backups", "st[a]r*?/b"} {
		b := newBench(t)
		b.dst = filepath.Join(b.src, inside)
		b.must(os.MkdirAll(b.dst, 0o700))
		b.write(filepath.Dir(inside)+"/beside", "x")
		for _, slash := range []string{"/", ""} {
			if _, err := b.run(func(j *Job) { j.Route.Sources = []string{b.src + slash} }); err != nil {
				t.Fatal(err)
			}
			top := b.dst + "/latest"
			if slash == "" {
				top += "/src"
			}
			if _, err := os.Stat(filepath.Join(top, filepath.Dir(inside), "beside")); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(top, inside)); err == nil {
				t.Errorf("%s%s: the backup is in the backup", inside, slash)
			}
			b.now = b.now.Add(time.Hour)
		}
	}
}

// TestPruneLeftovers: what was half deleted goes with the next run, and what
// nobody has asked to be deleted stays.
func TestPruneLeftovers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	outside := filepath.Join(filepath.Dir(b.dst), "outside")
	b.must(os.Mkdir(outside, 0o755))
	b.must(os.WriteFile(outside+"/precious", nil, 0o644))
	half := b.dst + "/" + pruning + "2026-11-01T030000Z"
	b.must(os.Mkdir(half, 0o755))
	b.must(os.Symlink(outside, half+"/way out"))
	b.must(os.Mkdir(b.dst+"/of the user", 0o755))
	b.must(os.Symlink(outside, b.dst+"/2026-11-02T030000Z")) // no snapshot
	b.must(os.Symlink(outside, b.dst+"/"+pruning+"x"))
	_, err := b.run(func(j *Job) { j.Keep = Policy{Last: 1} })
	b.must(err)
	if _, err := os.Stat(outside + "/precious"); err != nil {
		t.Error(err)
	}
	want := []string{pruning + "x", "2026-11-02T030000Z", "2026-11-16T030000Z", latest, "of the user"}
	if diff := cmp.Diff(want, b.names()); diff != "" {
		t.Error(diff)
	}
}

func TestSchedule(t *testing.T) {
	text, err := Schedule([]string{"/usr/bin/empegsync", "backup", "--rsh=ssh -i $K", `--exclude=it's 5%`, "--", "root@host:/", "/var/backups/the host"}, "4:05")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/etc/systemd/system/backup-the-host.service",
		`ExecStart=/usr/bin/empegsync backup "--rsh=ssh -i $$K" "--exclude=it's 5%%" -- root@host:/ "/var/backups/the host"` + "\n",
		`RequiresMountsFor="/var/backups/the host"` + "\n", "OnCalendar=*-*-* 04:05:00\n", "Persistent=true\n",
		`5 4 * * * root /usr/bin/empegsync backup '--rsh=ssh -i $K' '--exclude=it'\''s 5\%' -- root@host:/ '/var/backups/the host'` + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	for _, bad := range []struct{ dest, at string }{{"/b", "25:00"}, {"/b", "soon"}, {"b", "03:00"}, {"/b\nExecStart=rm", "03:00"}} {
		if _, err := Schedule([]string{"x", "backup", "s", bad.dest}, bad.at); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
