package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fifty compares as many peers at once with the slowest of five of them alone.
// put makes a new version of the file, run has synk bring it to peers.
//
// x-slowest is the ratio. x-bound is what the processors alone make of it: the
// time that all sessions together take of them, spread over all there are, beside
// the slowest alone.
func fifty(b *testing.B, put func(version int), run func(peers ...string)) {
	var peers, flags []string
	for i := range 50 {
		peers = append(peers, fmt.Sprintf("h%d", i))
		flags = append(flags, "-h", peers[i])
	}
	version := 0
	timed := func(more ...string) time.Duration {
		version++
		put(version)
		begun := time.Now()
		run(more...)
		return time.Since(begun)
	}
	var slowest, all, busy time.Duration
	for b.Loop() {
		for i := range 5 {
			slowest = max(slowest, timed("-h", peers[i*10]))
		}
		before := childrenTime(b)
		all += timed(flags...)
		busy += childrenTime(b) - before
	}
	n := float64(b.N)
	b.ReportMetric(all.Seconds()/n/slowest.Seconds(), "x-slowest")
	b.ReportMetric(busy.Seconds()/n/float64(runtime.NumCPU())/slowest.Seconds(), "x-bound")
	b.ReportMetric(busy.Seconds()*1000/n/50, "cpu-ms/peer")
}

// childrenTime is how long processes that were started here have kept processors
// busy: those that have ended, and sshd with the sessions that it has ended.
func childrenTime(b *testing.B) time.Duration {
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_CHILDREN, &u))
	busy := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	lists, err := filepath.Glob("/proc/self/task/*/children")
	must(b, err)
	for _, list := range lists {
		pids, _ := os.ReadFile(list) // a thread may have ended
		for _, pid := range strings.Fields(string(pids)) {
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			var ticks [4]int64 // of itself and of its children, user and system
			_, rest, _ := strings.Cut(string(stat), ") ")
			if f := strings.Fields(rest); len(f) > 14 {
				_, err := fmt.Sscan(strings.Join(f[11:15], " "), &ticks[0], &ticks[1], &ticks[2], &ticks[3])
				must(b, err)
			}
			for _, n := range ticks {
				busy += time.Duration(n) * (time.Second / 100)
			}
		}
	}
	return busy
}

// BenchmarkSynkFifty has no ssh: the way to each peer takes a tenth of a second,
// and nothing else.
func BenchmarkSynkFifty(b *testing.B) {
	var peers []string
	for i := range 50 {
		peers = append(peers, fmt.Sprintf("h%d", i))
	}
	w := newFakeWorld(b, peers...)
	b.Setenv("SYNK_DELAY", "0.1")
	last := ""
	fifty(b, func(version int) {
		last = fmt.Sprint(version)
		w.put("localhost", "file", last, int64(1000+version))
	}, func(more ...string) {
		w.run(append(more, "file")...).expect(b, 0)
	})
	w.has("file", last, peers...)
}

// BenchmarkSynkFiftySSH has fifty accounts of one real sshd.
func BenchmarkSynkFiftySSH(b *testing.B) {
	if !inWorld(b) {
		return
	}
	shells := make(map[string]string)
	for i := range 50 {
		shells[fmt.Sprintf("h%d", i)] = "/bin/sh"
	}
	a := newAccounts(b, shells)
	for name := range shells {
		a.host(name, name, "")
	}
	bin, home := filepath.Join(a.dir, "bin"), filepath.Join(a.dir, "root")
	must(b, os.Mkdir(bin, 0o755))
	must(b, os.MkdirAll(home, 0o755))
	must(b, os.Symlink(os.Getenv(binaryVar), filepath.Join(bin, "synk")))
	must(b, unix.Mount(bin, "/usr/local/bin", "", syscall.MS_BIND, "")) // where sshd looks first
	fifty(b, func(version int) {
		at := time.Unix(int64(1000+version), 0)
		must(b, os.WriteFile(filepath.Join(home, "file"), []byte(fmt.Sprint(version)), 0o644))
		must(b, os.Chtimes(filepath.Join(home, "file"), at, at))
	}, func(more ...string) {
		cmd := empegsync(append(append([]string{"synk"}, more...), "file")...)
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "HOME="+home, "PWD="+home, "RSYNC_RSH=")
		start(b, cmd).wait().expect(b, 0)
	})
}
