package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// All threads get the slack where the kernel lets this user give it.
func TestCalmTimers(t *testing.T) {
	slack := fmt.Sprintf("/proc/%d/timerslack_ns", os.Getpid())
	before, err := os.ReadFile(slack)
	must(t, err)
	if err := os.WriteFile(slack, before, 0); err != nil {
		t.Logf("not for this user: %v", err)
		calmTimers() // does nothing
		return
	}
	calmTimers()
	after, err := os.ReadFile(slack)
	if err != nil || strings.TrimSpace(string(after)) != fmt.Sprint(timerSlack) {
		t.Errorf("the slack is %q, %v; it was %q", after, err, before)
	}
}
