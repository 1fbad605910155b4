package main

import (
	"os"
	"path/filepath"
	"strconv"
)

// timerSlack is how late a timer may be, in nanoseconds.
const timerSlack = 1_000_000

// calmTimers lets this program's timers be a millisecond late. While anything runs,
// a thread of Go's runtime looks every 20 microseconds whether another one hangs in
// a system call; on a board with one slow processor most of its time goes there. A
// kernel that cannot do it, or does not let this user, changes nothing.
func calmTimers() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		_ = os.WriteFile(filepath.Join("/proc", t.Name(), "timerslack_ns"), []byte(strconv.Itoa(timerSlack)), 0)
	}
}
