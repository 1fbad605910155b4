package session

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// realDaemon runs Debian's rsync as a daemon for one conversation, which ends
// with the test.
func realDaemon(t *testing.T, module string) (*wire.Reader, *wire.Writer) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "rsyncd.conf")
	text := "use chroot = no\n[mod]\ncomment = A module\npath = " + module + "\n"
	if os.Geteuid() == 0 { // others may not even change to what they are
		text = "uid = 0\ngid = 0\n" + text
	}
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rsync", "--server", "--daemon", "--config="+config, ".")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("the tests need rsync (scripts/deps.sh installs it): %v", err)
	}
	hang := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // it is cut off in the middle, and says so
		hang.Stop()
		if t.Failed() {
			t.Logf("rsync says: %s", stderr.String())
		}
	})
	return wire.NewReader(out, 0), wire.NewWriter(in, 0)
}

// odds fills a folder with one of every kind of file that this user can make.
func odds(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("n", 250)
	check(os.MkdirAll(filepath.Join(dir, "fids", "_00012", long), 0o755))
	for i, name := range []string{"a", "ab", "fids/120", "fids/_00012/000", "fids/_00012/" + long + "/" + long, "\xe4 b\n"} {
		p := filepath.Join(dir, name)
		check(os.WriteFile(p, make([]byte, i*100), 0o600+os.FileMode(i)))
		at := time.Unix([]int64{0, 1, 1_000_000_000, 1<<31 - 1, 1_600_000_000, 1_000_000_000}[i], int64(i%2)*123_456_789)
		check(os.Chtimes(p, at, at))
	}
	check(os.Truncate(filepath.Join(dir, "a"), 1<<32+7)) // a hole
	check(os.Symlink("a", filepath.Join(dir, "link")))
	check(os.Symlink(strings.Repeat("../", 300), filepath.Join(dir, "long link")))
	check(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o640))
	for from, to := range map[string]string{"ab": "fids/ab again", "a": "fids/_00012/a again", "fifo": "fifo again", "link": "fids/link again"} {
		check(os.Link(filepath.Join(dir, from), filepath.Join(dir, to)))
	}
	if os.Geteuid() == 0 { // others may not make devices; containers may not, either
		for i, dev := range []int{1<<8 | 3, 1<<8 | 5, 3<<8 | 1, 3<<8 | 1<<20 | 44} {
			if err := syscall.Mknod(filepath.Join(dir, fmt.Sprint("dev", i)), syscall.S_IFCHR|0o666, dev); err != nil {
				t.Logf("no devices here: %v", err)
				break
			}
		}
	}
	return dir
}

// The list that rsync sends, read and written anew, is the same byte for byte:
// in every version, over the whole way from the greeting.
func TestListBytesAreRsyncs(t *testing.T) {
	dir := odds(t)
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		for _, letters := range []string{"", ".Lsf", "." + strings.Trim(proto.ClientLetters(), "i")} {
			if letters != "" && !capsOf(t, v).CompatFlags {
				continue
			}
			for _, hardLinks := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d%s/%v", v, letters, hardLinks), func(t *testing.T) { listFromRsync(t, dir, v, letters, hardLinks) })
			}
		}
	}
}

// askRsync asks Debian's rsync for what is in a folder, and returns where the
// list comes from.
func askRsync(t *testing.T, dir string, version int, letters string, hardLinks bool, more ...string) (*wire.Reader, Agreed) {
	t.Helper()
	r, w := realDaemon(t, dir)
	g, err := GreetServer(r, w, version)
	if err != nil || g.Version != version {
		t.Fatalf("agreed on %+v, %v", g, err)
	}
	if _, err := AskModule(r, w, Ask{Module: "mod", Say: func(string) {}}); err != nil {
		t.Fatal(err)
	}
	short := "-logDtpr"
	if hardLinks {
		short = "-HlogDtpr"
	}
	if letters != "" {
		short += "e" + letters
	}
	if err := SendArgs(w, capsOf(t, g.Version), append(append([]string{"--server", "--sender", short}, more...), ".", "mod/")); err != nil {
		t.Fatal(err)
	}
	a, err := Setup{Caps: capsOf(t, g.Version), IncRecurse: true}.Run(r, w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(wire.AppendInt32(nil, 0)); err != nil { // no rules
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if a.PeerFrames {
		r.StartMux(nil)
	}
	return r, a
}

func listFromRsync(t *testing.T, dir string, version int, letters string, hardLinks bool) {
	r, a := askRsync(t, dir, version, letters, hardLinks, "--numeric-ids")
	fields := filelist.Fields{UID: true, GID: true, Links: true, Devices: true, Specials: true, Inodes: hardLinks}
	var seen bytes.Buffer
	payload := wire.NewReader(io.TeeReader(r, &seen), 0)
	list, err := filelist.NewDecoder(a.Caps, fields).Read(payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := seen.Bytes()[:seen.Len()-payload.Buffered()]
	enc := filelist.NewEncoder(a.Caps, fields)
	var ours []byte
	for i := range list.Len() {
		e := list.At(int32(i))
		if dev, ino, linked := e.Inode(); linked && !a.Caps.LinkIndex {
			e.SetInode(dev-1, ino) // it travels plus one
		}
		at := len(ours)
		ours = enc.Append(ours, list.At(int32(i)))
		if !bytes.HasPrefix(sent, ours) {
			t.Fatalf("%q: ours\n%x\nrsync's\n%x...", list.At(int32(i)).Path(), ours[at:], sent[at:min(len(sent), len(ours)+8)])
		}
	}
	if ours = enc.AppendEnd(ours, list.IOError, nil, nil); !bytes.Equal(sent, ours) {
		t.Errorf("the lists part at their end: ours %x, rsync's %x", ours[len(ours)-8:], sent[len(sent)-8:])
	}
	if list.Len() < 12 {
		t.Errorf("only %d entries", list.Len())
	}
}

// So are the parts of a list that comes folder by folder, with the names that
// travel with the first entries that have them.
func TestPartBytesAreRsyncs(t *testing.T) {
	dir := odds(t)
	for _, v := range []int{30, 31, 32} {
		for _, letters := range []string{".iLsf", "." + proto.ClientLetters()} {
			for _, hardLinks := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d%s/%v", v, letters, hardLinks), func(t *testing.T) { partsFromRsync(t, dir, v, letters, hardLinks) })
			}
		}
	}
}

func partsFromRsync(t *testing.T, dir string, version int, letters string, hardLinks bool) {
	r, a := askRsync(t, dir, version, letters, hardLinks)
	if !a.Caps.IncRecurse {
		t.Fatal("the list comes whole")
	}
	fields := filelist.Fields{UID: true, GID: true, Links: true, Devices: true, Specials: true, Inodes: hardLinks, Names: true}
	var seen bytes.Buffer
	payload := wire.NewReader(io.TeeReader(r, &seen), 0)
	dec, enc := filelist.NewDecoder(a.Caps, fields), filelist.NewEncoder(a.Caps, fields)
	in, out := wire.NewIndexCoder(true), wire.NewIndexCoder(true)
	var folders filelist.Folders
	var ours []byte
	list, entries := &filelist.List{Start: 1}, 0
	for {
		if _, err := dec.ReadPart(payload, list, 1000, nil); err != nil {
			t.Fatal(err)
		}
		entries += list.Len()
		enc.UserName = func(id uint32) string { return list.Users[id] }
		enc.GroupName = func(id uint32) string { return list.Groups[id] }
		enc.Begin(list.Start)
		for _, e := range list.All() { // as they came: not sorted yet
			ours = enc.Append(ours, e)
		}
		ours = enc.AppendEnd(ours, list.IOError, nil, nil)
		list.Sort(true)
		if err := folders.Announce(list); err != nil {
			t.Fatal(err)
		}
		index := in.Read(payload)
		ours = out.Append(ours, index)
		if sent := seen.Bytes()[:seen.Len()-payload.Buffered()]; payload.Err() != nil || !bytes.Equal(sent, ours) {
			at := 0
			for at < min(len(sent), len(ours)) && sent[at] == ours[at] {
				at++
			}
			t.Fatalf("%v; within %d entries, from byte %d on, rsync has sent\n%.100x\nours would be\n%.100x", payload.Err(), entries, at, sent[at:], ours[at:])
		}
		if index == proto.IndexListEnd {
			break
		}
		parent, err := folders.Take(index)
		if err != nil {
			t.Fatal(err)
		}
		list = &filelist.List{Start: list.End() + 1, Parent: parent}
	}
	if entries < 12 {
		t.Errorf("only %d entries", entries)
	}
}

func TestModulesOfRsync(t *testing.T) {
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		r, w := realDaemon(t, t.TempDir())
		if _, err := GreetServer(r, w, v); err != nil {
			t.Fatalf("%d: %v", v, err)
		}
		var lines []string
		listed, err := AskModule(r, w, Ask{Module: "", Say: func(l string) { lines = append(lines, l) }})
		if err != nil || !listed || len(lines) != 1 || !strings.HasPrefix(lines[0], "mod ") {
			t.Errorf("%d: %v, %v, %q", v, listed, err, lines)
		}
	}
	r, w := realDaemon(t, t.TempDir())
	if _, err := GreetServer(r, w, proto.MaxVersion); err != nil {
		t.Fatal(err)
	}
	_, err := AskModule(r, w, Ask{Module: "nothing", Say: func(string) {}})
	wantError(t, err, "@ERROR: Unknown module 'nothing'", proto.ExitStartClient)
}

// rsync as a client shows its version at once: no deadline is needed, so none
// is set here, and the test would hang if it were.
func TestRsyncAsClient(t *testing.T) {
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			agreed := make(chan error, 1)
			addr := serveOnce(t, func(s end) {
				got, err := GreetClient(s.r, s.w, proto.MaxVersion, "welcome\n", func(time.Time) {})
				if err == nil && (got.Version != v || v == proto.MaxVersion && got.Digests == "") {
					err = fmt.Errorf("agreed on %+v", got)
				}
				if line := s.r.Line('\n', 100, "module"); err == nil && line != "" && line != "#list" {
					err = fmt.Errorf("it asks for %q, %v", line, s.r.Err())
				}
				_, _ = fmt.Fprint(s.w, "drive0\tThe first\n@RSYNCD: EXIT\n")
				_ = s.w.Flush()
				agreed <- err
			})
			out, err := exec.Command("rsync", fmt.Sprint("--protocol=", v), "rsync://"+addr).CombinedOutput()
			if e := <-agreed; e != nil {
				t.Error(e)
			}
			if err != nil || !strings.Contains(string(out), "welcome\n") || !strings.Contains(string(out), "drive0\tThe first\n") {
				t.Errorf("%v; rsync says:\n%s", err, out)
			}
		})
	}
}
