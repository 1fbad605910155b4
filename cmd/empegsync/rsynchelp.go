package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// likeRsync is the release whose command line, output and protocol this program
// has; scripts read it from the first line of --version.
const likeRsync = "3.5.0"

// ability is what --version says of one thing that an rsync may have been built
// with. // usage.c:print_info_flags
type ability struct {
	key, words string // in JSON, and for people
	value      any
}

func abilities() []ability {
	return []ability{
		{"file_bits", "64-bit files", 64}, {"inum_bits", "64-bit inums", 64}, {"timestamp_bits", "64-bit timestamps", 64},
		{"long_int_bits", "64-bit long ints", 64}, {"socketpairs", "socketpairs", true}, {"symlinks", "symlinks", true},
		{"symtimes", "symtimes", true}, {"hardlinks", "hardlinks", true}, {"hardlink_specials", "hardlink-specials", true},
		{"hardlink_symlinks", "hardlink-symlinks", true}, {"IPv6", "IPv6", true}, {"atimes", "atimes", true},
		{"batchfiles", "batchfiles", true}, {"inplace", "inplace", true}, {"append", "append", true}, {"ACLs", "ACLs", true},
		{"xattrs", "xattrs", true}, {"secluded_args", "optional secluded-args", "optional"}, {"iconv", "iconv", true},
		{"prealloc", "prealloc", true}, {"stop_at", "stop-at", true}, {"crtimes", "no crtimes", false},
	}
}

// rsyncVersion is the text of --version, or of -VV in JSON, as tools read it.
func rsyncVersion(asJSON bool) string {
	if asJSON {
		return versionJSON()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rsync  version %s  protocol version %d\n", likeRsync, proto.MaxVersion)
	fmt.Fprintf(&b, "(%s, which does what that release does)\nCapabilities:\n", versionText())
	line := "   "
	all := abilities()
	for i, a := range all {
		word := " " + a.words
		if i < len(all)-1 {
			word += ","
		}
		if len(line)+len(word) > 76 {
			fmt.Fprintln(&b, line)
			line = "   "
		}
		line += word
	}
	fmt.Fprintln(&b, line)
	for _, l := range algorithmLists() {
		fmt.Fprintf(&b, "%s:\n    %s\n", l.title, l.names)
	}
	return b.String()
}

type algorithmList struct{ key, title, names string }

func algorithmLists() []algorithmList {
	return []algorithmList{
		{"checksum_list", "Checksum list", checksum.ServerList},
		{"compress_list", "Compress list", compress.ServerList},
		{"daemon_auth_list", "Daemon auth list", checksum.AuthList},
	}
}

func versionJSON() string {
	flags := map[string]any{}
	for _, a := range abilities() {
		flags[a.key] = a.value
	}
	v := map[string]any{
		"program": "rsync", "version": likeRsync, "protocol": fmt.Sprintf("%d.0", proto.MaxVersion), "capabilities": flags,
		"implementation": "empegsync", "implementation_version": version, "license": "BSD-3-Clause",
	}
	for _, l := range algorithmLists() {
		v[l.key] = strings.Fields(l.names)
	}
	text, _ := json.MarshalIndent(v, "", "  ") // of strings, numbers and booleans: never fails
	return string(text) + "\n"
}

// rsyncHelp is the text of --help.
func rsyncHelp() string {
	return rsyncVersion(false) + `
Usage: rsync [OPTION]... SRC [SRC]... DEST
  or   rsync [OPTION]... SRC [SRC]... [USER@]HOST:DEST
  or   rsync [OPTION]... SRC [SRC]... [USER@]HOST::DEST
  or   rsync [OPTION]... SRC [SRC]... rsync://[USER@]HOST[:PORT]/DEST
  or   rsync [OPTION]... [USER@]HOST:SRC [DEST]
  or   rsync [OPTION]... [USER@]HOST::SRC [DEST]
  or   rsync [OPTION]... rsync://[USER@]HOST[:PORT]/SRC [DEST]
One colon goes through a remote shell, two to a daemon. Without DEST the
sources are listed. An option of rsync that is not named here is refused.

` + options.Help() + `
See rsync --daemon --help for the options of a daemon.
`
}

// rsyncDaemonHelp is the text of --daemon --help.
func rsyncDaemonHelp() string {
	return rsyncVersion(false) + `
Usage: rsync --daemon [OPTION]...
` + options.DaemonHelp()
}

// userAliases reads the files of popt, where users of rsync define options of
// their own. // poptconfig.c:poptReadDefaultConfig
func userAliases() options.Aliases {
	var a options.Aliases
	files, _ := filepath.Glob("/etc/popt.d/*")
	slices.Sort(files)
	files = append([]string{"/etc/popt"}, files...)
	if home := os.Getenv("HOME"); home != "" {
		files = append(files, filepath.Join(home, ".popt"))
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil { // most users have none
			a.Add(string(text))
		}
	}
	return a
}
