package board

import (
	"fmt"
	"os"
	"strings"
)

// Recipe says what a board is made of: firmware/board/recipe, which explains itself.
type Recipe struct {
	Kernel   string // the package that depends on the kernel's
	Modules  []string
	Programs []Program
	Links    []Link
}

// Program is a file from a package.
type Program struct{ Name, Package, File string }

// Link is a link in the board's /bin.
type Link struct{ Target, Name string }

// ReadRecipe reads a recipe.
func ReadRecipe(name string) (Recipe, error) {
	var r Recipe
	text, err := os.ReadFile(name)
	if err != nil {
		return r, fmt.Errorf("recipe: %w", err)
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "kernel" && len(words) == 2:
			r.Kernel = words[1]
		case words[0] == "modules":
			r.Modules = append(r.Modules, words[1:]...)
		case words[0] == "program" && len(words) == 4:
			r.Programs = append(r.Programs, Program{words[1], words[2], words[3]})
		case words[0] == "link" && len(words) > 2:
			for _, name := range words[2:] {
				r.Links = append(r.Links, Link{words[1], name})
			}
		default:
			return r, fmt.Errorf("recipe %s: line %d: cannot make sense of %q", name, number, strings.TrimSpace(line))
		}
	}
	if r.Kernel == "" {
		return r, fmt.Errorf("recipe %s: no kernel", name)
	}
	return r, nil
}
