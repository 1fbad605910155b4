package conf

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPage: docs/rsyncd.conf.md has every parameter of the table, in its order,
// with its place and default, and says of those that are refused that they are.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../../docs/rsyncd.conf.md")
	if err != nil {
		t.Fatal(err)
	}
	scopes := map[Scope]string{ScopeGlobal: "global", ScopeModule: "module"}
	var want, got []string
	refused := map[string]bool{}
	for _, own := range []bool{false, true} {
		for _, p := range Params() {
			if p.Extension == own {
				want = append(want, fmt.Sprintf("%s|%s|%s|%v", p.Name, scopes[p.Scope], p.Default, own))
				refused[p.Name] = !p.Supported()
			}
		}
	}
	own := false
	for line := range strings.Lines(string(text)) {
		own = own || strings.HasPrefix(line, "## Parameters of its own")
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 3 {
			continue
		}
		name := strings.Trim(cells[0], "|` ")
		rest := strings.SplitN(strings.TrimPrefix(line, cells[0]+" | "+cells[1]+" |"), "|", 2)
		got = append(got, fmt.Sprintf("%s|%s|%s|%v", name, cells[1], strings.TrimSpace(rest[0]), own))
		if says := strings.Contains(rest[1], "refused") && !strings.Contains(rest[1], "or refused"); refused[name] && !says {
			t.Errorf("%s is refused, which the page does not say", name)
		}
		if strings.HasPrefix(strings.TrimSpace(rest[1]), "refused") && !refused[name] {
			t.Errorf("%s is not refused, as the page says", name)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the table (-) and the page (+):\n%s", d)
	}
}
