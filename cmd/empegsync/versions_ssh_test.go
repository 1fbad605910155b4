package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the tests of backups over ssh bring across, and this program as the account
// has it.
const (
	kept = "/home/keeper/data"
	ours = "/home/keeper/bin/rsync"
)

// newKeeper makes an account with files, and hosts that are let in to it:
// "shell" for all, and the keys of somebody who makes backups.
func newKeeper(t *testing.T) *accounts {
	t.Helper()
	a := newAccounts(t, map[string]string{"keeper": "/bin/bash"})
	a.write(kept+"/a file", "a")
	a.write(kept+"/sub/deep/large", strings.Repeat("0123456789abcdef\n", 10_000))
	a.write(kept+"/sub/script", "#!/bin/sh\n")
	must(t, os.Chmod(kept+"/sub/script", 0o750))
	must(t, os.Symlink("sub/script", kept+"/link"))
	a.own(kept + "/link")
	for _, f := range []string{"a file", "sub/deep/large", "sub/script"} {
		must(t, os.Chtimes(filepath.Join(kept, f), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	}
	must(t, os.MkdirAll(filepath.Dir(ours), 0o755))
	must(t, os.Symlink(os.Getenv(binaryVar), ours))
	must(t, os.Symlink(ours, filepath.Dir(ours)+"/rrsync"))
	a.write("/home/keeper/rsyncd.conf", "max connections = 1\nlock file = /home/keeper/lock\nuse chroot = no\n[system]\n\tpath = "+kept+"\n\tlist = false\n")
	daemon := "%s --server --daemon ."
	a.host("shell", "keeper", "")
	a.host("daemon", "keeper", fmt.Sprintf(`command="`+daemon+`",no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty`, "rsync"))
	a.host("our-daemon", "keeper", fmt.Sprintf(`restrict,command="`+daemon+`"`, ours))
	a.host("rrsync", "keeper", `restrict,command="rrsync -ro `+kept+`"`)
	a.host("our-rrsync", "keeper", `restrict,command="`+filepath.Dir(ours)+`/rrsync -ro `+kept+`"`)
	for _, h := range []string{"shell", "daemon", "our-daemon", "rrsync", "our-rrsync"} {
		a.connect(h)
	}
	return a
}

// TestEveryProtocolOverSSH: the command lines that people make backups with, with
// Debian's rsync on one side in each protocol since 26, and this program on the other.
func TestEveryProtocolOverSSH(t *testing.T) {
	t.Parallel()
	if !inWorld(t) {
		return
	}
	a := newKeeper(t)
	for protocol := 26; protocol <= 32; protocol++ {
		speak := fmt.Sprintf("--protocol=%d", protocol)
		for _, c := range []struct {
			name         string
			shell, key   []string // the client, where it chooses what is run there, and where a key does
			daemon, keys string   // hosts
			root         string   // what a key's folder is called
		}{
			{"ours to rsync", []string{ours, "--rsync-path=rsync " + speak}, []string{ours, speak}, "daemon", "rrsync", ""},
			{"rsync to ours", []string{"rsync", speak, "--rsync-path=" + ours}, []string{"rsync", speak}, "our-daemon", "our-rrsync", "/"},
		} {
			t.Run(fmt.Sprint(c.name, " ", protocol), func(t *testing.T) {
				a := *a
				a.t = t
				dir := filepath.Join(a.dir, strings.ReplaceAll(t.Name(), "/", " "))
				must(t, os.MkdirAll(dir+"/got", 0o755))
				must(t, os.WriteFile(dir+"/got/not there", nil, 0o644))
				run := func(client []string, more ...string) result {
					t.Helper()
					words := append(slices.Clone(client), "-e", "ssh -i '"+a.dir+"/key of shell'", "-avzx", "--numeric-ids", "--delete", "--progress")
					return a.run(append(words, more...)...)
				}
				r := run(c.shell, "-n", "shell:"+kept+"/", dir+"/got/")
				names, err := os.ReadDir(dir + "/got")
				if r.code != 0 || err != nil || len(names) != 1 || !strings.Contains(r.out, "sub/deep/large") || !strings.Contains(r.out, "deleting not there") {
					t.Errorf("a dry run: %v %v: %s", names, err, r)
				}
				run(c.shell, "shell:"+kept+"/", dir+"/got/").expect(t, 0)
				a.same(kept, dir+"/got", "-a")
				back := fmt.Sprintf("/home/keeper/back%d%s", protocol, c.daemon)
				run(c.shell, dir+"/got/", "shell:"+back).expect(t, 0)
				a.same(kept, back, "-a")
				run(c.key, c.daemon+"::system/", dir+"/module/").expect(t, 0)
				a.same(kept, dir+"/module", "-a")
				run(c.key, c.keys+":"+c.root, dir+"/key/").expect(t, 0)
				a.same(kept, dir+"/key", "-a")
				if c.shell[0] == ours { // the client of a backup is always ours
					a.snapshots(dir, c.shell[1])
				} else if protocol < 30 { // later ones say more
					a.oldCommand(protocol)
				}
			})
		}
	}
}

// snapshots makes two of what the account has, with one of rsync's words.
func (a *accounts) snapshots(dir, word string) {
	a.t.Helper()
	must(a.t, os.Mkdir(dir+"/snapshots", 0o700))
	for range 2 {
		a.run(os.Getenv(binaryVar), "backup", "-q", word, "shell:"+kept+"/", dir+"/snapshots").expect(a.t, 0)
	}
	a.same(kept, dir+"/snapshots/latest", "-a")
	found, err := filepath.Glob(dir + "/snapshots/2*/sub/script")
	if err != nil || len(found) != 2 || fileNumber(a.t, found[0]) != fileNumber(a.t, found[1]) {
		a.t.Errorf("two snapshots share nothing: %q %v", found, err)
	}
}

// oldCommand makes the forced command what an old client sends, to the letter, and
// has that client come.
func (a *accounts) oldCommand(protocol int) {
	a.t.Helper()
	host := fmt.Sprint("old", protocol)
	a.host(host, "keeper", `command="`+ours+` --server --sender -vnlogDtprxz --numeric-ids . `+kept+`/"`)
	r := a.run("rsync", fmt.Sprint("--protocol=", protocol), "-avzxn", "--numeric-ids", "--delete", "--no-inc-recursive", host+":/", a.dir+"/none")
	if r.code != 0 || !strings.Contains(r.out, "sub/deep/large") {
		a.t.Errorf("the command of an old client: %s", r)
	}
}

// same fails the test unless rsync finds nothing to do between two trees.
func (a *accounts) same(from, to string, options ...string) {
	a.t.Helper()
	r := a.run(append(append([]string{"rsync", "-ni", "--delete", "--checksum"}, options...), from+"/", to+"/")...)
	if r.code != 0 || r.out != "" {
		a.t.Errorf("%s is not like %s: %s", to, from, r)
	}
}
