package house

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Protocol versions lie in this range, as C rsync has it (rsync.h: MIN_PROTOCOL_VERSION,
// MAX_PROTOCOL_VERSION); numbers outside are not taken for versions.
const (
	lowestVersion  = 20
	highestVersion = 40
)

// versionNumber says whether e is a number in the range of protocol versions:
// written out, converted, or a constant of that value.
func versionNumber(e ast.Expr, constants map[string]bool) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return versionNumber(e.X, constants)
	case *ast.CallExpr: // a conversion, as in Version(30)
		return len(e.Args) == 1 && versionNumber(e.Args[0], constants)
	case *ast.Ident:
		return constants[e.Name]
	case *ast.BasicLit:
		n, err := strconv.ParseInt(e.Value, 0, 64)
		return e.Kind == token.INT && err == nil && n >= lowestVersion && n <= highestVersion
	}
	return false
}

// versionName says whether e is called a version: a variable, a field or a method
// with "proto" or "version" in its name, or anything of such. The name of an
// imported package does not count.
func versionName(e ast.Expr, packages map[string]string) bool {
	named := func(name string) bool {
		name = strings.ToLower(name)
		return strings.Contains(name, "proto") || strings.Contains(name, "version")
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return versionName(e.X, packages)
	case *ast.CallExpr:
		if len(e.Args) == 1 && versionName(e.Args[0], packages) {
			return true // a conversion, as in int(version)
		}
		return versionName(e.Fun, packages)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && packages[x.Name] != "" {
			return named(e.Sel.Name)
		}
		return named(e.Sel.Name) || versionName(e.X, packages)
	case *ast.Ident:
		return named(e.Name)
	}
	return false
}

// versionConstants lists the names that the source declares as constants of such a number.
func versionConstants(s source) map[string]bool {
	out := make(map[string]bool)
	ast.Inspect(s.file, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			return true
		}
		for _, spec := range decl.Specs {
			v, ok := spec.(*ast.ValueSpec)
			for i := 0; ok && i < len(v.Names) && i < len(v.Values); i++ {
				if versionNumber(v.Values[i], nil) {
					out[v.Names[i].Name] = true
				}
			}
		}
		return true
	})
	return out
}

// versions is the rule that a protocol version is compared in pkg/rsync/proto only.
func versions(s source) []string {
	if s.test || !within(s.dir(), "pkg/rsync") || within(s.dir(), "pkg/rsync/proto") {
		return nil
	}
	const why = ": a protocol version is compared outside pkg/rsync/proto: name the behaviour in the capability table and ask for that"
	packages, constants := s.localNames(), versionConstants(s)
	var out []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			comparison := slices.Contains([]token.Token{token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}, n.Op)
			if comparison && (versionName(n.X, packages) && versionNumber(n.Y, constants) ||
				versionName(n.Y, packages) && versionNumber(n.X, constants)) {
				out = append(out, s.at(n)+why)
			}
		case *ast.SwitchStmt:
			if n.Tag == nil || !versionName(n.Tag, packages) {
				return true
			}
			for _, clause := range n.Body.List {
				if c, ok := clause.(*ast.CaseClause); ok && slices.ContainsFunc(c.List, func(e ast.Expr) bool { return versionNumber(e, constants) }) {
					out = append(out, s.at(c)+why)
				}
			}
		}
		return true
	})
	return out
}

// pathFunctions are the functions of a package that take a file's name.
func pathFunctions() map[string][]string {
	calls := []string{
		"Open", "Openat", "Openat2", "Creat", "Stat", "Lstat", "Fstatat", "Statx", "Access", "Faccessat", "Mkdir", "Mkdirat",
		"Mknod", "Mknodat", "Unlink", "Unlinkat", "Rmdir", "Rename", "Renameat", "Renameat2", "Link", "Linkat", "Symlink",
		"Symlinkat", "Readlink", "Readlinkat", "Chmod", "Fchmodat", "Chown", "Lchown", "Fchownat", "Truncate", "Utimes",
		"UtimesNano", "UtimesNanoAt", "Chdir", "Chroot", "Mount", "Unmount",
	}
	return map[string][]string{
		"os": {
			"Open", "OpenFile", "Create", "CreateTemp", "MkdirTemp", "ReadFile", "WriteFile", "ReadDir", "Readlink", "Stat", "Lstat",
			"Mkdir", "MkdirAll", "Remove", "RemoveAll", "Rename", "Symlink", "Link", "Chmod", "Chown", "Lchown", "Chtimes", "Truncate",
			"DirFS", "CopyFS", "OpenRoot", "OpenInRoot", "Chdir",
		},
		"path/filepath":         {"Walk", "WalkDir", "Glob", "EvalSymlinks"},
		"io/ioutil":             {"ReadFile", "WriteFile", "ReadDir", "TempFile", "TempDir"},
		"syscall":               calls,
		"golang.org/x/sys/unix": calls,
	}
}

// confined is the rule that the engine reaches the disk through rootfs only.
func confined(s source) []string {
	engineRooms := []string{"transfer", "session", "filelist", "delta", "filter", "wire", "compress"}
	inside := slices.ContainsFunc(engineRooms, func(r string) bool { return within(s.dir(), "pkg/rsync/"+r) })
	if s.test || !inside {
		return nil
	}
	forbidden, packages := pathFunctions(), s.localNames()
	var out []string
	for p, spec := range s.importPaths() {
		if spec.Name != nil && spec.Name.Name == "." && forbidden[p] != nil {
			out = append(out, s.at(spec)+": "+p+" imported by a dot hides what is called of it")
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(forbidden[packages[x.Name]], sel.Sel.Name) {
			out = append(out, s.at(n)+": "+x.Name+"."+sel.Sel.Name+" outside rootfs: a peer may have named that file, and only pkg/rsync/rootfs keeps it below the root")
		}
		return true
	})
	return out
}

func TestVersionsAreComparedInProtoOnly(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, versions(s))
	}
}

func TestEngineOpensFilesThroughRootfs(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, confined(s))
	}
}

func TestVersionsCatch(t *testing.T) {
	const why = "capability table"
	body := func(code string) string {
		return "package x\nimport \"" + module + "/pkg/rsync/proto\"\nvar _ proto.Version\nfunc f() {\n" + code + "\n}\n"
	}
	in := "pkg/rsync/transfer/x.go"
	try(t, versions, []trial{
		{"at least", in, body("_ = version >= 30"), why},
		{"turned round", in, body("_ = 29 < protocolVersion"), why},
		{"named as a package is", in, body("var proto int\n_ = proto >= 30"), why},
		{"a field", in, body("_ = s.caps.Version == 27"), why},
		{"a field of one", in, body("_ = s.proto.number != 28"), why},
		{"a method", in, body("_ = s.Protocol() <= 31"), why},
		{"converted", in, body("_ = int(remoteProto) > 26"), why},
		{"number converted", in, body("_ = version >= proto.Version(30)"), why},
		{"in brackets", in, body("_ = (version) >= (0x1e)"), why},
		{"a constant", in, body("const modern = 30\n_ = version >= modern"), why},
		{"a switch", in, body("switch version {\ncase 1, 29:\n}"), why},
		{"in proto", "pkg/rsync/proto/x.go", body("_ = version >= 30"), ""},
		{"below proto", "pkg/rsync/proto/table/x.go", body("_ = version >= 30"), ""},
		{"in a test", "pkg/rsync/transfer/x_test.go", body("_ = version >= 30"), ""},
		{"outside the engine", "pkg/boot/x.go", body("_ = version >= 30"), ""},
		{"no version", in, body("_ = length >= 30"), ""},
		{"out of range", in, body("_ = version >= 41 || version < 20-1 || version == 2"), ""},
		{"something of proto", in, body("_ = proto.ExitCode(x) == 23"), ""},
		{"another constant", in, body("_ = version >= proto.Newest"), ""},
		{"arithmetic", in, body("_ = version + 30"), ""},
		{"another switch", in, body("switch length {\ncase 29:\n}"), ""},
	})
}

func TestConfinedCatches(t *testing.T) {
	const why = "only pkg/rsync/rootfs"
	in := "pkg/rsync/transfer/x.go"
	try(t, confined, []trial{
		{"open", in, "package x\nimport \"os\"\nvar f, _ = os.Open(name)\n", why},
		{"not called at once", in, "package x\nimport \"os\"\nvar f = os.OpenFile\n", why},
		{"another name", in, "package x\nimport sys \"os\"\nvar f, _ = sys.Create(name)\n", "sys.Create"},
		{"by a dot", in, "package x\nimport . \"os\"\nvar f, _ = Open(name)\n", "by a dot"},
		{"walk", "pkg/rsync/filter/x.go", "package x\nimport \"path/filepath\"\nvar f = filepath.WalkDir\n", why},
		{"system call", "pkg/rsync/session/x.go", "package x\nimport \"golang.org/x/sys/unix\"\nvar f = unix.Openat\n", why},
		{"an error of os", in, "package x\nimport \"os\"\nvar e = os.ErrNotExist\n", ""},
		{"another Open", in, "package x\nimport \"" + module + "/pkg/rsync/rootfs\"\nvar f = rootfs.Open\n", ""},
		{"in rootfs", "pkg/rsync/rootfs/x.go", "package x\nimport \"os\"\nvar f = os.Open\n", ""},
		{"in a test", "pkg/rsync/wire/x_test.go", "package x\nimport \"os\"\nvar f = os.Open\n", ""},
	})
}
