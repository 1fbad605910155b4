package daemon

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/subtree"
)

// requested takes a path argument of a client apart: "mod/a" is a below the
// module, and what older clients send for "mod/a mod/b" is two paths
// (util1.c:glob_expand_module). With relative a "/./" keeps its meaning.
func requested(module, arg string, relative bool) []string {
	clean := subtree.Clean
	if relative {
		clean = subtree.CleanRelative
	}
	arg = strings.TrimLeft(arg, "/")
	rest, ok := cutModule(module, arg)
	if !ok {
		return []string{clean(arg)}
	}
	var paths []string
	for _, p := range strings.Split(rest, " "+module+"/") {
		paths = append(paths, clean(p))
	}
	return paths
}

func cutModule(module, arg string) (string, bool) {
	if arg == module {
		return "", true
	}
	return strings.CutPrefix(arg, module+"/")
}
