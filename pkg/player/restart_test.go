package player

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// console plays init, shell and player behind /proc/empeg_notify: it starts with
// the player running, and obeys what is typed. It returns what was typed once
// the test is over.
func console(t *testing.T, root string, obey map[string]func()) func() string {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "proc/1"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, "proc/1/cmdline"), "init\x00")
	startPlayer(t, root)
	notify := filepath.Join(root, "proc/empeg_notify")
	if err := unix.Mkfifo(notify, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo, err := os.OpenFile(notify, os.O_RDWR, 0) // both ends, so that it stays open
	if err != nil {
		t.Fatal(err)
	}
	typed, done := "", make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 256)
		for {
			n, err := fifo.Read(buffer)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(buffer[:n])) {
				typed += line
				if f := obey[line]; f != nil {
					f()
				}
			}
		}
	}()
	return func() string {
		time.Sleep(20 * time.Millisecond) // what was written last is read
		fifo.Close()
		<-done
		return typed
	}
}

func startPlayer(t *testing.T, root string) {
	dir := filepath.Join(root, "proc/77")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Error(err)
	}
	put(t, filepath.Join(dir, "cmdline"), "/empeg/bin/player\x00-s\x00")
}

func quickly() restartTimes {
	return restartTimes{
		poll: time.Millisecond, change: 500 * time.Millisecond, settle: time.Millisecond,
		save: 500 * time.Millisecond, still: 5 * time.Millisecond,
	}
}

func TestRestart(t *testing.T) {
	tests := []struct {
		name       string
		quits      bool
		comesBack  bool
		saves      bool
		typed, err string
	}{
		{"as it should", true, true, true, "SERIAL=q\nSERIAL=exit\n", ""},
		{"does not quit", false, false, false, "SERIAL=q\n", "has not quit"},
		{"does not come back", true, false, false, "SERIAL=q\nSERIAL=exit\n", "has not come back"},
		{"does not save", true, true, false, "SERIAL=q\nSERIAL=exit\n", "has not saved its database"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, root := fixture(t)
			obey := map[string]func(){}
			if tt.quits {
				obey["SERIAL=q\n"] = func() { os.RemoveAll(filepath.Join(root, "proc/77")) }
			}
			if tt.comesBack {
				obey["SERIAL=exit\n"] = func() {
					startPlayer(t, root)
					if tt.saves {
						for _, name := range []string{"tags", "database3", "playlists"} {
							put(t, filepath.Join(root, "drive0/var", name), "anew")
						}
					}
				}
			}
			typed := console(t, root, obey)
			if _, err := p.Reindex(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			err := p.restart(context.Background(), quickly())
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if got := typed(); got != tt.typed {
				t.Errorf("typed %q, want %q", got, tt.typed)
			}
		})
	}
}

func TestRestartByHand(t *testing.T) {
	p, root := fixture(t)
	err := p.Restart(context.Background())
	if !errors.Is(err, ErrNoNotify) || !strings.Contains(err.Error(), RestartAdvice) {
		t.Errorf("without the file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "proc")); err == nil {
		t.Error("it was made")
	}
	typed := console(t, root, nil)
	remove(t, filepath.Join(root, "proc/77"))
	if err := p.Restart(context.Background()); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("without a player: %v", err)
	}
	if got := typed(); got != "" {
		t.Errorf("typed %q to nobody knows whom", got)
	}
	for _, word := range []string{"q ", "rwm ", "exit "} {
		if !strings.Contains(RestartAdvice, "\n  "+word) {
			t.Errorf("the advice lacks %s", word)
		}
	}
}
