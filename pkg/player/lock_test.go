package player

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestLock(t *testing.T) {
	p, root := fixture(t)
	lock, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	before := listing(t, root)
	other, err := Open(root+"/./", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Lock()
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("a second lock: %v", err)
	}
	for _, want := range []string{root, fmt.Sprintf("process %d", os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	elsewhere, _ := fixture(t)
	if lock, err := elsewhere.Lock(); err != nil {
		t.Errorf("another player: %v", err)
	} else if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
	if err := lock.Unlock(); err == nil {
		t.Error("unlocked twice without an error")
	}
	again, err := other.Lock()
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if after := listing(t, root); after != before {
		t.Errorf("the lock has left something: %s, before %s", after, before)
	}
	if err := again.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockHolder(t *testing.T) {
	const table = `1: POSIX  ADVISORY  WRITE 11 08:01:131 0 EOF
2: FLOCK  ADVISORY  WRITE 22 08:01:1310 0 EOF
3: FLOCK  ADVISORY  WRITE 33 fd:1f:131 0 EOF
3: -> FLOCK  ADVISORY  WRITE 44 08:01:131 0 EOF
4: FLOCK  ADVISORY  WRITE -1 08:02:5 0 EOF
5: FLOCK  ADVISORY  WRITE 55 08:01:131 0 EOF
6: FLOCK
`
	tests := []struct {
		dev, ino uint64
		want     int
	}{
		{0x801, 131, 55}, {0xfd1f, 131, 33}, {0x801, 1310, 22}, {0x802, 5, 0}, {0x801, 7, 0},
	}
	for _, tt := range tests {
		if got := lockHolder(table, tt.dev, tt.ino); got != tt.want {
			t.Errorf("lockHolder(%#x, %d) = %d, want %d", tt.dev, tt.ino, got, tt.want)
		}
	}
}

func FuzzLockHolder(f *testing.F) {
	f.Add("1: FLOCK  ADVISORY  WRITE 11 08:01:131 0 EOF\n", uint64(0x801), uint64(131))
	f.Add("1: FLOCK  ADVISORY  WRITE -5 fd:1f:1 0 EOF", uint64(0xfd1f), uint64(1))
	f.Fuzz(func(t *testing.T, table string, dev, ino uint64) {
		if pid := lockHolder(table, dev, ino); pid < 0 {
			t.Errorf("process %d", pid)
		}
	})
}
