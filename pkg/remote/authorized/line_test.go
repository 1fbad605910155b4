package authorized

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
)

// blob makes a key of a type.
func blob(kind string) string {
	b := append([]byte{0, 0, 0, byte(len(kind))}, kind...)
	return base64.StdEncoding.EncodeToString(append(b, "the key itself"...))
}

func TestParseKey(t *testing.T) {
	ed := "ssh-ed25519 " + blob("ssh-ed25519")
	for text, comment := range map[string]string{
		ed: "", ed + " me@here\n": "me@here", "# a key\n\n" + ed + "  two words \r\n": "two words", ed + " a\x1bb": "ab",
	} {
		key, err := ParseKey(text)
		if err != nil || key.Type != "ssh-ed25519" || key.Comment != comment {
			t.Errorf("%q: %+v, %v", text, key, err)
		}
	}
	for _, text := range []string{
		"", "\n", "# nothing", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n", ed + "\n" + ed, "ssh-rsa " + blob("ssh-ed25519"),
		`command="x" ` + ed, "ssh-ed25519 !!!", "ssh-ed25519 AAAA", "ssh-ed25519 /////w==",
	} {
		if key, err := ParseKey(text); err == nil {
			t.Errorf("%q is %+v", text, key)
		}
	}
}

// TestLineSurvivesQuoting: sshd takes the quotes off, and a shell gets the words.
func TestLineSurvivesQuoting(t *testing.T) {
	key, err := ParseKey("ssh-ed25519 " + blob("ssh-ed25519") + " me")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"printf", `%s\0`, "plain", "", "a b", "it's", `"q"`, `back\`, `\"`, "$HOME `id`", "*", "~", "#x", "é", "a;b", "tab\t"}
	line, err := Line(key, words)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(line, `restrict,command="`)
	end := strings.LastIndex(rest, `" ssh-ed25519 `)
	if !ok || end < 0 || afterOptions(line) != rest[end+2:] {
		t.Fatalf("the line is %q, behind its options %q", line, afterOptions(line))
	}
	command := strings.ReplaceAll(rest[:end], `\"`, `"`) // auth-options.c:opt_dequote
	out, err := exec.Command("sh", "-c", command).Output()
	if want := strings.Join(words[2:], "\x00") + "\x00"; err != nil || string(out) != want {
		t.Errorf("a shell makes %q of it, want %q: %v", out, want, err)
	}
	for _, w := range []string{"a\nb", "a\x00", "a\r"} {
		if line, err := Line(key, []string{w}); err == nil {
			t.Errorf("%q becomes %q", w, line)
		}
	}
	file := "# " + line + "\n\n" + line + "\n"
	if n := find([]byte(file), key); n != 3 {
		t.Errorf("found in line %d, want 3", n)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("ssh-ed25519 " + blob("ssh-ed25519") + " me\n")
	f.Add(`a="\" ",b ssh-rsa ` + blob("ssh-rsa"))
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err != nil {
			return
		}
		line, err := Line(key, []string{"x"})
		if err != nil || strings.ContainsAny(line, "\n\r\x00") {
			t.Fatalf("%q becomes %q: %v", text, line, err)
		}
		if find([]byte(line), key) != 1 {
			t.Errorf("%q is not found in its own line %q", text, line)
		}
	})
}
