package restricted

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// rrsync is Debian's, which is a script.
const rrsync = "/usr/bin/rrsync"

// lists are the tables of options at the head of rrsync.
type lists struct {
	letters, numbers, disabled, disabledBelow string
	words                                     map[string]int // -1: disabled, 0: without a value
}

// readLists reads them from the script.
func readLists(t *testing.T) lists {
	t.Helper()
	text, err := os.ReadFile(rrsync)
	if err != nil {
		t.Fatalf("Debian's rsync package brings it: %v", err)
	}
	one := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + ` = '([^']*)'`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s has no %s any more", rrsync, name)
		}
		return string(m[1])
	}
	l := lists{one("short_no_arg"), one("short_with_num"), one("short_disabled"), one("short_disabled_subdir"), map[string]int{}}
	for _, m := range regexp.MustCompile(`(?m)^  '([a-zA-Z0-9-]+)': (-?[0-9]),$`).FindAllSubmatch(text, -1) {
		if l.words[string(m[1])], err = strconv.Atoi(string(m[2])); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.letters) < 30 || len(l.words) < 80 {
		t.Fatalf("%s has other tables than it had: %+v", rrsync, l)
	}
	return l
}

// refused reports whether a policy refuses a word, and taken whether a session
// could have it.
func refused(p Policy, word string) (refused, taken bool) {
	_, err := options.ParseServer([]string{"--server", "--sender", "-r", word, ".", "."}, p.refusal(false))
	var oe *options.Error
	return errors.As(err, &oe) && oe.Kind == options.Refused, err == nil
}

// TestListIsRrsyncs walks the tables of Debian's rrsync: what it takes is taken
// here and what it refuses is refused, but for a few with a reason.
func TestListIsRrsyncs(t *testing.T) {
	const (
		checked = "what it brings is looked at when it has come"
		letter  = "the letter of an option that is taken as a word"
	)
	reasons := map[string]string{"s": checked, "T": letter, "0": letter}
	rr := readLists(t)
	differ := func(name, word string, theirs bool) {
		t.Helper()
		ours, taken := refused(Policy{}, word)
		if theirs {
			ours = !taken // also what no rsync knows
		}
		if theirs != ours && reasons[name] == "" {
			t.Errorf("%s: refused by rrsync: %v, here: %v", name, theirs, ours)
		} else if theirs == ours && reasons[name] != "" {
			t.Errorf("%s: is as with rrsync, and should not be: %s", name, reasons[name])
		}
	}
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0468@" {
		name := string(c)
		word := "-" + name
		if strings.Contains(rr.numbers, name) {
			word += "7"
		}
		differ(name, word, !strings.Contains(rr.letters+rr.numbers+"e", name) || strings.Contains(rr.disabled+rr.disabledBelow, name))
	}
	for name, kind := range rr.words {
		word := "--" + name
		if kind > 0 {
			word += "=" + sample(name)
		}
		differ(name, word, kind < 0 || name == "copy-unsafe-links")
	}
	for _, o := range options.All() {
		_, known := rr.words[o.Long]
		if known || o.Long == "" || o.Short != "" && strings.Contains(rr.letters+rr.numbers+"es", o.Short) {
			continue // a word of a letter that was looked at
		}
		word := "--" + o.Long
		if o.Arg != "" {
			word += "=" + sample(o.Long)
		}
		differ(o.Long, word, true)
	}
}

// sample is a value that an option takes.
func sample(option string) string {
	switch {
	case strings.HasSuffix(option, "map"):
		return "0:1"
	case option == "checksum-choice":
		return "md5"
	case option == "compress-choice":
		return "zlib"
	case option == "info":
		return "name"
	case option == "stderr":
		return "all"
	case option == "iconv":
		return "utf8"
	}
	return "1000"
}

// TestRestrictionsAreRrsyncs: what its restrictions refuse is refused with ours.
func TestRestrictionsAreRrsyncs(t *testing.T) {
	for _, c := range []struct {
		flag   string
		policy Policy
		words  string
	}{
		{"-no-del", Policy{NoDelete: true}, "--delete --delete-after --delete-before --delete-delay --delete-during --delete-excluded --delete-missing-args --remove-sent-files --remove-source-files"},
		{"-ro", Policy{ReadOnly: true}, "--delete --remove-source-files --log-file=x"},
		{"-no-overwrite", Policy{NoOverwrite: true}, "--partial-dir=x --delay-updates --backup-dir=x --log-file=x -b"},
	} {
		for word := range strings.FieldsSeq(c.words) {
			if no, _ := refused(c.policy, word); !no {
				t.Errorf("%s takes %s", c.flag, word)
			}
			cmd := exec.Command(rrsync, c.flag, t.TempDir())
			cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND=rsync --server --sender -r "+word+" . .")
			if c.flag == "-no-overwrite" {
				cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND=rsync --server -r "+word+" . .")
			}
			if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), "has been disabled") {
				t.Errorf("rrsync %s takes %s: %s", c.flag, word, out)
			}
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	for _, p := range []Policy{
		{ReadOnly: true, WriteOnly: true}, {ReadOnly: true, Append: true}, {Append: true, NoOverwrite: true}, {Append: true, NoLock: true},
		{Quota: -1}, {Allow: []string{"no-such-option"}}, {Deny: []string{"x", "deleet"}}, {ReadOnly: true, Deny: []string{"!log-file"}},
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
