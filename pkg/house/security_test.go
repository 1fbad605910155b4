package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Each test that docs/security.md names is there.
func TestSecurityPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top(t), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for _, s := range tree(t) {
		if !s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				have[f.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Z]\\w*)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !have[m[1]] {
			t.Errorf("docs/security.md names %s, which there is not", m[1])
		}
	}
}
