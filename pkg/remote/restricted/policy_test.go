package restricted

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// TestListIsRrsyncs: what Debian's rrsync refuses of the options that clients
// may send is refused here, too, and the other way round.
func TestListIsRrsyncs(t *testing.T) {
	const rrsync = "/usr/bin/rrsync"
	if _, err := os.Stat(rrsync); err != nil {
		t.Fatalf("Debian's rsync package brings it: %v", err)
	}
	dir := t.TempDir()
	var p Policy
	for _, option := range []string{
		"-L", "-K", "-k", "--copy-unsafe-links", "--write-devices", "--daemon", "--no-munge-links", "--password-file=x", "--exclude=x", "--drop-D",
		"--protocol=30", "--rsync-path=x",
	} {
		words := []string{"--server", "--sender", "-r", option, ".", "."}
		_, err := options.ParseServer(words, p.refusal(false))
		cmd := exec.Command(rrsync, "-ro", dir)
		cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND=rsync "+strings.Join(words, " "))
		out, _ := cmd.CombinedOutput()
		theirs := strings.Contains(string(out), "rrsync error:")
		if (err != nil) != theirs {
			t.Errorf("%s: refused by rrsync: %v (%q), here: %v", option, theirs, out, err)
		}
	}
	// All that it takes, at once: it goes on to the transfer, which has no client.
	all := strings.Fields(`-vnlHogDtpAXrcCdSuxyz -B700 --bwlimit=10 --checksum-seed=1 --compare-dest=x --compress-level=3 --delete
		--delete-excluded --dirs --existing --files-from=- --force --from0 --fsync --ignore-errors --ignore-existing --info=name
		--max-delete=1 --max-size=1 --min-size=1 --modify-window=1 --numeric-ids --partial --safe-links --size-only --stats
		--suffix=x --super --timeout=9 --fake-super --open-noatime --munge-links --no-W --no-relative`)
	words := append(append([]string{"--server", "--sender"}, all...), ".", ".")
	_, err := options.ParseServer(words, p.refusal(false))
	var oe *options.Error
	if errors.As(err, &oe) && oe.Kind == options.Refused {
		t.Errorf("refused here: %v", err)
	}
	cmd := exec.Command(rrsync, "-no-lock", dir)
	cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND=rsync "+strings.Join(words, " "))
	if out, _ := cmd.CombinedOutput(); strings.Contains(string(out), "rrsync error:") {
		t.Errorf("refused by rrsync: %s", out)
	}
}

func TestPolicyCheck(t *testing.T) {
	for _, p := range []Policy{
		{ReadOnly: true, WriteOnly: true}, {ReadOnly: true, Append: true}, {Append: true, NoOverwrite: true}, {Append: true, NoLock: true},
		{Quota: -1}, {Allow: []string{"no-such-option"}}, {Deny: []string{"x", "deleet"}},
	} {
		if p.Check() == nil {
			t.Errorf("%+v makes sense", p)
		}
	}
	p := Policy{WriteOnly: true, Append: true, Allow: []string{"copy-links"}, Deny: []string{"z", "checksum*"}, Quota: 1}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	// What is promised holds whatever is allowed.
	p = Policy{NoDelete: true, Allow: []string{"*", "delete*", "force"}}
	for _, option := range []string{"--delete", "--delete-after", "--del", "--force", "--delete-missing-args", "--remove-source-files", "--remove-sent-files"} {
		var oe *options.Error
		if _, err := options.ParseServer([]string{"--server", "-r", option, ".", "."}, p.refusal(false)); !errors.As(err, &oe) || oe.Kind != options.Refused {
			t.Errorf("-no-del takes %s: %v", option, err)
		}
	}
}

func TestParseDirs(t *testing.T) {
	for args, want := range map[string]string{
		"/srv": "=/srv", "a=/srv": "a=/srv", "a=/srv b=/home": "a=/srv b=/home", "./a=b": "=./a=b", "/a=b": "=/a=b", "a.b-c=x=y": "a.b-c=x=y",
		"": "", "a=": "", "/srv /home": "", "a=/srv /home": "", "a=/srv a=/home": "",
	} {
		dirs, err := ParseDirs(strings.Fields(args))
		var got []string
		for _, d := range dirs {
			got = append(got, d.Name+"="+d.Path)
		}
		if s := strings.Join(got, " "); s != want || (err == nil) != (want != "") {
			t.Errorf("%q = %q, %v; want %q", args, s, err, want)
		}
	}
}
