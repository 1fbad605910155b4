package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// trap is something that goes wrong in another engine, and the test that shows
// that it does not in ours.
type trap struct{ what, dir, test string }

// traps are the mistakes that this engine was built to avoid.
func traps() []trap {
	return []trap{
		// gokrazy/rsync v0.3.3 against rsync 3.5.0
		{"one protocol version only", "pkg/rsync/interop", "TestMatrix"},
		{"--delete stops at the first extra file of a folder", "pkg/rsync/transfer", "TestDeletions"},
		{"--delete takes what an exclude protects", "pkg/rsync/transfer", "TestDeletionsSpareProtected"},
		{"an exclude drops all later siblings", "pkg/rsync/filter", "TestSenderAgainstRsync"},
		{"-u is ignored", "pkg/rsync/transfer", "TestUpdateLeavesNewerFiles"},
		{"-n makes links and devices", "pkg/rsync/transfer", "TestDryRunWritesNothing"},
		{"times of folders, links and devices are lost", "pkg/rsync/interop", "TestMatrix"},
		{"umask is ignored without -p", "pkg/rsync/transfer", "TestUmaskWithoutPerms"},
		{"set-id bits are lost, names of owners unused", "pkg/rsync/interop", "TestModesAndOwners"},
		{"an unreadable folder ends the run", "cmd/empegsync", "TestPullUnreadable"},
		{"a file that changes while it is sent never arrives", "pkg/rsync/transfer", "TestFileChangesMidway"},
		{"a bad sum of a file ends the run", "pkg/rsync/transfer", "TestChangedBasisIsSentAgain"},
		{"of two sources only the first is copied", "cmd/empegsync", "TestRsyncOutput"},
		{"a file or wildcard asked of a module fails", "pkg/rsync/subtree", "TestExpand"},
		{"what clients send ends the daemon", "pkg/rsync/daemon", "TestStrangers"},
		{"negative lengths and indexes out of range", "pkg/rsync/filelist", "TestHostileEntries"},
		{"a wildcard that takes for ever", "pkg/rsync/filter", "TestHostilePatternsEnd"},
		{"lines of any length are accepted", "pkg/rsync/session", "TestGreetClientErrors"},
		{"idle connections never time out", "pkg/rsync/daemon", "TestIdleTimeout"},
		{"running out of descriptors ends the daemon", "pkg/rsync/daemon", "TestFewDescriptors"},
		{"the context is not honoured", "pkg/rsync/transfer", "TestCancelEndsAtOnce"},
		{"a block count of 2^31-1 ends the daemon", "pkg/rsync/delta", "TestHeadsRefused"},
		{"two large buffers are made for each file", "pkg/rsync/transfer", "TestSmallFilesCostLittle"},
		{"a user is looked up for each file of an unknown id", "pkg/rsync/transfer", "TestSentIDsAreLookedUpOnce"},
		{"both ways between it and us", "cmd/empegsync", "TestGokrazy"},
		// openrsync
		{"both ends write while neither reads", "pkg/rsync/wire", "TestMessageNeverWaits"},
		// C rsync before 3.5.0
		{"races with symbolic links", "pkg/rsync/rootfs", "TestRace"},
		{"merge files that leak content", "pkg/rsync/daemon", "TestMergeFilesAreConfined"},
		{"lengths and counts that the peer chooses", "pkg/rsync/filelist", "TestMemoryIsBoundedByInput"},
		{"lists that take all memory", "cmd/empegsync", "TestMaxAlloc"},
		{"what goes into name converters", "pkg/rsync/daemon", "TestNameConverter"},
		{"ids that a peer makes up", "pkg/rsync/transfer", "TestIDsFromAHostilePeer"},
		{"blocks of half a gigabyte", "pkg/rsync/delta", "TestLargeBlocksOfSmallFiles"},
		{"blocks that are not there", "pkg/rsync/transfer", "TestBlocksThatAreNotThere"},
		{"chains of blocks that cost quadratic time", "pkg/rsync/delta", "TestChosenSums"},
		{"a fault in a compressor's goroutine", "pkg/rsync/compress", "TestFaultInBackground"},
		{"slow clients hold places before they log in", "pkg/rsync/daemon", "TestHelloTimeout"},
		{"host lists fail open", "pkg/rsync/daemon", "TestHosts"},
		{"PROXY headers are trusted from anyone", "pkg/rsync/daemon", "TestProxyProtocol"},
		{"names nobody has asked for", "pkg/rsync/client", "TestDistrust"},
		{"old releases refuse who announces more than 30", "pkg/rsync/interop", "TestShellOldRelease"},
		{"old daemons and clients greet first or end without a word", "pkg/rsync/session", "TestOldDaemons"},
	}
}

// TestTraps: each of these tests is there; whoever renames one keeps the table true.
func TestTraps(t *testing.T) {
	t.Parallel()
	text := map[string]string{}
	for _, trap := range traps() {
		if _, ok := text[trap.dir]; !ok {
			files, err := filepath.Glob(filepath.Join("../../..", trap.dir, "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s has no tests: %v", trap.dir, err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				text[trap.dir] += string(b)
			}
		}
		if !regexp.MustCompile(`(?m)^func ` + trap.test + `\(`).MatchString(text[trap.dir]) {
			t.Errorf("%s: %s has no %s", trap.what, trap.dir, trap.test)
		}
	}
}
