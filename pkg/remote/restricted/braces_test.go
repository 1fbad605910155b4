package restricted

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// texted are the texts of what a word stands for.
func texted(w Word) []string {
	if len(w.Braces) > 0 {
		return texts(w.Braces)
	}
	return []string{w.Text}
}

// TestBraces: braces make of a word what bash makes of it.
func TestBraces(t *testing.T) {
	for _, command := range []string{
		"{a,b}", "x{a,b}y{c,d}z", "x{a,{b,c}d,}", "p{,.old}", "{1..3}", "{3..1}", "{01..10..3}", "{-1..2}", "{-02..2}", "{a..e..2}", "{e..a}", "{5..5}",
		`\{a,b\}`, `{a\,b,c}`, `'{a,b}'`, `{'a,b',c}`, `{a}`, `{}`, `{a,'b c'}`, `{a{b,c}}`, `{x..y..z}`, `{1..a}`, `{1...3}`, "a,b", "{1..3..0}", `"{1..3}"`, `{'1'..3}`,
	} {
		words, err := Split(command)
		if err != nil || len(words) != 1 {
			t.Errorf("%s: %q, %v", command, words, err)
			continue
		}
		out, err := exec.Command("bash", "-fc", `printf '%s\0' `+command).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if got := texted(words[0]); !slices.Equal(got, want) {
			t.Errorf("%s becomes %q, bash makes %q of it", command, got, want)
		}
	}
	for command, want := range map[string]string{ // as rrsync, unlike bash
		"{a,b": "{a,b", "a}b": "a}b", "{1{2,3}": "{1{2,3}", "}{a,b}": "}{a,b}",
	} {
		if words, err := Split(command); err != nil || !slices.Equal(texted(words[0]), []string{want}) {
			t.Errorf("%s becomes %q, %v", command, words, err)
		}
	}
	for _, command := range []string{"{1..1001}", "{0..2147483647}", strings.Repeat("{a,b}", 10), "{{1..600},{1..600}}", "{1..40}{1..40}", "{1..600} {1..600}", strings.Repeat("{", 60_000) + strings.Repeat("}", 60_000)} {
		if words, err := Split(command); !errors.Is(err, errManyBraces) {
			t.Errorf("%s becomes %d words, %v", command, len(texted(words[0])), err)
		}
	}
	words, err := Split(`{a*,'b*'}`)
	if err != nil || len(words[0].Braces) != 2 || words[0].Braces[0].Pattern != "a*" || words[0].Braces[1].Pattern != "" {
		t.Errorf("patterns: %+v, %v", words, err)
	}
}
