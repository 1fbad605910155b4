package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// armPeers returns the command lines of two programs for ARM on an emulated
// ARMv5 processor: ours, and the rsync of Debian's armel packages, which
// scripts/test-arm.sh unpacks.
func armPeers(t *testing.T) (ours, debian []string) {
	t.Helper()
	command := os.Getenv("EMPEGSYNC_ARMEL")
	ours = append(arm(t).Args, "rsync")
	if command == "" {
		t.Fatal("EMPEGSYNC_ARMEL does not hold the command for Debian's armel rsync; run: make test-arm")
	}
	return ours, strings.Fields(command)
}

// What runs on the boards themselves, with the C library and the compiler of
// another world: both ways, each as the side that starts.
func TestARMPeers(t *testing.T) {
	ours, debian := armPeers(t)
	shell := filepath.Join(tempDir(t), "shell")
	// As ssh does, it has a shell take the words apart.
	must(t, os.WriteFile(shell, []byte("shift\nexec sh -c \"$*\"\n"), 0o644))
	for name, sides := range map[string][2][]string{
		"our client":   {ours, debian},
		"our server":   {debian, ours},
		"both of ours": {ours, ours},
	} {
		for _, push := range []bool{false, true} {
			for _, more := range []string{"-aH", "-aHzc", "-aH --no-inc-recursive --delete --protocol=29"} {
				t.Run(name+map[bool]string{false: " pulls ", true: " pushes "}[push]+more, func(t *testing.T) {
					_, dest := players(t, 24)
					source, _ := players(t, 30)
					client, server := sides[0], sides[1]
					args := append(client[1:len(client):len(client)], strings.Fields(more)...)
					args = append(args, "-e", "sh "+shell, "--rsync-path="+strings.Join(server, " "))
					from, to := "there:"+source+"/", dest+"/"
					if push {
						from, to = source+"/", "there:"+dest+"/"
					}
					r := start(t, exec.Command(client[0], append(args, "--delete", from, to)...)).wait()
					r.expect(t, 0)
					if diff := cmp.Diff(texts(t, source), texts(t, dest)); diff != "" {
						t.Errorf("the trees differ (-source +dest): %d bytes of differences", len(diff))
					}
				})
			}
		}
	}
}
