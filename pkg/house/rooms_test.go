package house

import (
	"fmt"
	"strings"
	"testing"
)

// room is one package, or a folder of them, with its level. A room may import the
// rooms of lower levels, its own sub-packages, and what "knows" names besides.
type room struct {
	dir    string
	level  int
	knows  []string
	reason string
}

// The levels from the bottom up.
const (
	pure     = iota // no file, no network, no clock: bytes and values only
	codec           // the forms that things have on the wire
	engine          // the disk, the session, the transfer
	service         // what a person would name: a daemon, a player
	program         // the commands
	nowhere         // imported by tests and tools only
	outsider        // rules and tests that look at everything
)

// rooms is the plan of the house. Paths are folders of the tree.
func rooms() []room {
	return []room{
		{"pkg/rsync/proto", pure, nil, "facts of the protocol, the one place that compares versions; it depends on nothing"},
		{"pkg/rsync/checksum", pure, nil, "sums are functions of bytes"},
		{"pkg/rsync/chmod", pure, nil, "modes in, modes out"},
		{"pkg/rsync/charset", pure, nil, "names in, names out"},
		{"pkg/rsync/options", pure, []string{"pkg/rsync/chmod"}, "one table of options, read by clients, servers and help alike"},
		{"pkg/rsync/conf", pure, nil, "text in, configuration out; who opens the file is not its business"},

		{"pkg/role", pure, []string{"pkg/rsync/conf"}, "the one small file that says what a player is; text in, settings out"},

		{"pkg/verbs", codec, nil, "words in, a struct filled; what the verbs do is not its business"},

		{"pkg/status", pure, nil, "the look of pages that tell how a server does; bytes of values, whoever serves them"},
		{"pkg/status/web", codec, nil, "the same page over HTTP; what stands on it is the caller's"},

		{"pkg/rsync/wire", codec, nil, "the bounded reader and the writer under all other codecs"},
		{"pkg/rsync/compress", codec, []string{"pkg/rsync/wire"}, "token streams are read through the bounded reader"},
		{"pkg/rsync/acl", codec, []string{"pkg/rsync/wire"}, "access control lists are read through the bounded reader"},
		{"pkg/rsync/xattr", codec, []string{"pkg/rsync/wire"}, "lists of attributes are read through the bounded reader"},
		{"pkg/rsync/filelist", codec, []string{"pkg/rsync/wire"}, "entries are read through the bounded reader"},
		{"pkg/rsync/logformat", codec, []string{"pkg/rsync/filelist"}, "a line about an entry, for whoever writes it"},
		{"pkg/rsync/batch", codec, []string{"pkg/rsync/wire"}, "a batch's header and script; the streams are the client's"},
		{"pkg/rsync/filter", codec, nil, "rules are text; their frame is the caller's"},
		{"pkg/rsync/delta", codec, []string{"pkg/rsync/wire"}, "sums and tokens are read through the bounded reader"},

		{"pkg/rsync/sockopts", codec, nil, "socket options mean the same for clients and daemons"},

		{"pkg/mounts", engine, nil, "remounting serves the boot fix-ups and the drives alike, and knows neither"},
		{"pkg/rsync/rootfs", engine, nil, "the only door to the disk must not depend on who knocks"},
		{"pkg/rsync/session", engine, nil, "a handshake moves no file"},
		{"pkg/rsync/transfer", engine, []string{"pkg/rsync/rootfs"},
			"files move through the confined root; what a session agreed on is handed in"},

		{"pkg/rsync/subtree", engine, []string{"pkg/rsync/rootfs", "pkg/rsync/transfer"},
			"what a peer's paths mean below one folder is the same for modules and restricted keys"},

		{"pkg/rsync/client", service, []string{"pkg/rsync/server"},
			"a client is no daemon; a copy on one machine is a client and a server in one process"},
		{"pkg/rsync/server", service, nil, "what somebody else has started must not need more than its streams"},
		{"pkg/rsync/daemon", service, nil, "a daemon is no client"},
		{"pkg/rsync/report", service, []string{"pkg/rsync/daemon"}, "what a daemon does, for those who watch; a daemon does not need it"},
		{"pkg/boot", service, nil, "a board must boot without any transfer"},
		{"pkg/player", service, nil, "what a player is does not depend on how its music comes"},
		{"pkg/pull", service, []string{"pkg/player", "pkg/rsync/client"}, "a slave's job: a player and a client together"},
		{"pkg/install", service, []string{"pkg/player"}, "laying the program down moves no music; it asks the player what its drives are"},
		{"pkg/console", service, nil, "what is asked and typed on a serial line; carrying it out is the verbs' part"},
		{"pkg/backup", service, []string{"pkg/rsync/client", "pkg/rsync/server"}, "snapshots are a policy around a client's pull"},
		{"pkg/doctor", service, []string{"pkg/rsync/client", "pkg/rsync/server"}, "it tries what a client will do"},
		{"pkg/remote", service, []string{"pkg/rsync/server"}, "what a key may do is apart from how it is done: the far end of a transfer, below its directory"},
		{"pkg/pkgcache", service, nil, "packages are not the player's business"},
		{"pkg/synk", service, []string{"pkg/rsync/client", "pkg/rsync/server"},
			"copying goes through the client; what a path of this machine means, the server knows"},

		{"cmd", program, nil, "verbs read flags and hand over"},
		{"pkg/memdir", nowhere, nil, "where tests lay out their files is nothing a program must know"},
		{"pkg/ownspace", nowhere, nil, "a program stays in the namespaces that it was started in"},
		{"pkg/ownport", nowhere, nil, "a program listens where it is told to"},
		{"pkg/console/consoletest", nowhere, nil, "a cable with a player at its end, for tests"},
		{"pkg/player/playertest", nowhere, nil, "a fixture that used the code under test would share its mistakes"},
		{"pkg/rsync/interop", outsider, nil, "tests of all rooms together against other engines; it has no code to import"},
		{"tools", outsider, []string{"tools"}, "programs for those who work here may use everything"},
		{"firmware", outsider, nil, "what is laid on a player is data"},
		{"pkg/house", outsider, nil, "the rules look at sources; they use none"},
	}
}

// find returns the room that dir belongs to: the one with the longest matching name.
func find(dir string) (room, bool) {
	var best room
	for _, r := range rooms() {
		if within(dir, r.dir) && len(r.dir) > len(best.dir) {
			best = r
		}
	}
	return best, best.dir != ""
}

// mayNotImport returns why a file of package from may not import package to, or "".
// Tests may look upwards, as long as Go itself lets them.
func mayNotImport(from, to string, test bool) string {
	a, ok := find(from)
	if !ok {
		return from + " has no room: give it a line in pkg/house/rooms_test.go"
	}
	b, ok := find(to)
	if !ok {
		return to + " has no room: give it a line in pkg/house/rooms_test.go"
	}
	for _, r := range []string{"cmd", "tools", "firmware", "pkg/house", "pkg/rsync/interop"} {
		if within(to, r) && !within(from, r) {
			return "nothing imports " + r + ": it stands at the end of every chain"
		}
	}
	if a.dir == b.dir || test {
		return ""
	}
	if b.level == nowhere && a.level < nowhere {
		return b.dir + " is for tests: " + b.reason
	}
	if a.dir == "pkg/player/playertest" {
		return a.reason
	}
	if b.level < a.level || within(b.dir, a.dir) {
		return ""
	}
	for _, k := range a.knows {
		if within(to, k) {
			return ""
		}
	}
	return fmt.Sprintf("%s (level %d) may not know %s (level %d): %s", a.dir, a.level, b.dir, b.level, a.reason)
}

// directions is the rule for one source.
func directions(s source) []string {
	var out []string
	for p, spec := range s.importPaths() {
		to, ours := own(p)
		if !ours || to == s.dir() {
			continue
		}
		if why := mayNotImport(s.dir(), to, s.test); why != "" {
			out = append(out, s.at(spec)+": "+why)
		}
	}
	return out
}

// purity is the rule that keeps the lowest level away from the world. Parsing an
// address is no dealing with the network, so net/netip and net/url are left out.
func purity(s source) []string {
	r, ok := find(s.dir())
	if !ok || r.level != pure || s.test {
		return nil
	}
	var out []string
	for p, spec := range s.importPaths() {
		if p == "net/netip" || p == "net/url" {
			continue
		}
		for _, world := range []string{"os", "net", "syscall", "golang.org/x/sys"} {
			if within(p, world) {
				out = append(out, fmt.Sprintf("%s: %s imports %s: level 0 is pure, so that it can be tested, fuzzed and reused anywhere", s.at(spec), s.dir(), p))
			}
		}
	}
	return out
}

func TestImportDirections(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, directions(s))
	}
}

func TestLowestLevelIsPure(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, purity(s))
	}
}

// Every package stands in the table, whether or not anything imports it yet.
func TestEveryPackageHasARoom(t *testing.T) {
	for _, s := range tree(t) {
		if _, ok := find(s.dir()); !ok {
			t.Errorf("%s: %s has no room: give it a line in pkg/house/rooms_test.go", s.path, s.dir())
		}
	}
}

func TestRoomsMakeSense(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range rooms() {
		if seen[r.dir] || r.reason == "" || strings.HasSuffix(r.dir, "/") {
			t.Errorf("%q: twice, without a reason, or with a slash at its end", r.dir)
		}
		seen[r.dir] = true
		for _, k := range r.knows {
			if other, ok := find(k); !ok || other.level != r.level {
				t.Errorf("%s knows %s, which is no room of its own level", r.dir, k)
			}
		}
	}
}

func TestDirectionsCatch(t *testing.T) {
	file := func(imports ...string) string {
		text := "package x\n"
		for _, i := range imports {
			text += "import _ \"" + i + "\"\n"
		}
		return text
	}
	try(t, directions, []trial{
		{"down", "pkg/rsync/client/x.go", file(module + "/pkg/rsync/transfer"), ""},
		{"up", "pkg/rsync/transfer/x.go", file(module + "/pkg/rsync/client"), "may not know"},
		{"sideways, allowed", "pkg/rsync/delta/x.go", file(module + "/pkg/rsync/wire"), ""},
		{"sideways, allowed for pull", "pkg/pull/x.go", file(module + "/pkg/rsync/client"), ""},
		{"sideways", "pkg/rsync/daemon/x.go", file(module + "/pkg/rsync/client"), "may not know"},
		{"sideways at the bottom", "pkg/rsync/conf/x.go", file(module + "/pkg/rsync/options"), "may not know"},
		{"sub-package of its own", "pkg/boot/x.go", file(module + "/pkg/boot/link"), ""},
		{"a command", "pkg/boot/x.go", file(module + "/cmd/empegsync"), "nothing imports cmd"},
		{"a command in a test", "pkg/boot/x_test.go", file(module + "/cmd/empegsync"), "nothing imports cmd"},
		{"a tool", "cmd/empegsync/x.go", file(module + "/tools/mkplayer"), "nothing imports tools"},
		{"firmware", "cmd/empegsync/x.go", file(module + "/firmware"), "nothing imports firmware"},
		{"the fixture", "cmd/empegsync/x.go", file(module + "/pkg/player/playertest"), "is for tests"},
		{"the fixture in its room", "pkg/player/x.go", file(module + "/pkg/player/playertest"), "is for tests"},
		{"the fixture in a test", "pkg/player/x_test.go", file(module + "/pkg/player/playertest"), ""},
		{"the fixture in a tool", "tools/x/x.go", file(module + "/pkg/player/playertest"), ""},
		{"the fixture uses what it tests", "pkg/player/playertest/x.go", file(module + "/pkg/player"), "share its mistakes"},
		{"a test looks up", "pkg/rsync/transfer/x_test.go", file(module + "/pkg/rsync/daemon"), ""},
		{"a stranger", "pkg/util/x.go", file(module + "/pkg/boot"), "has no room"},
		{"to a stranger", "pkg/boot/x.go", file(module + "/pkg/util"), "has no room"},
		{"another module", "pkg/rsync/proto/x.go", file("example.org/x"), ""},
	})
}

func TestPurityCatches(t *testing.T) {
	try(t, purity, []trial{
		{"os", "pkg/rsync/conf/x.go", "package x\nimport \"os\"\n", "imports os"},
		{"below os", "pkg/rsync/conf/x.go", "package x\nimport \"os/user\"\n", "imports os/user"},
		{"net", "pkg/rsync/proto/x.go", "package x\nimport \"net\"\n", "imports net"},
		{"addresses", "pkg/rsync/proto/x.go", "package x\nimport \"net/netip\"\n", ""},
		{"like os", "pkg/rsync/proto/x.go", "package x\nimport \"osprey\"\n", ""},
		{"system calls", "pkg/rsync/checksum/x.go", "package x\nimport \"golang.org/x/sys/unix\"\n", "imports golang.org"},
		{"in a test", "pkg/rsync/conf/x_test.go", "package x\nimport \"os\"\n", ""},
		{"above", "pkg/rsync/rootfs/x.go", "package x\nimport \"os\"\n", ""},
	})
}
