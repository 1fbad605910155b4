package options

import "sync"

// table gives every option of rsync 3.5.0. It is made once; nobody changes it.
var table = sync.OnceValue(makeTable)

func makeTable() []row {
	var all []row
	for g, rows := range [groupCount][]row{
		groupWhat:       whatRows(),
		groupKeep:       keepRows(),
		groupSkip:       skipRows(),
		groupDelete:     deleteRows(),
		groupFilter:     filterRows(),
		groupHow:        append(howRows(), fileRows()...),
		groupOutput:     outputRows(),
		groupConnection: connectionRows(),
		groupOther:      append(otherRows(), batchRows()...),
	} {
		for _, r := range rows {
			r.group = group(g)
			all = append(all, r)
		}
	}
	for i := range all {
		for j := range all {
			if all[i].needs != "" && all[j].long == all[i].needs {
				all[i].modes &= all[j].modes
			}
		}
	}
	return all
}

func whatRows() []row {
	return []row{
		value("archive", "a", "", "keep everything usual: the same as -rlptgoD", archive),
		flag("recursive", "r", "go down into directories", func(o *Options) *bool { return &o.Recurse }).no().also(askRecurse).
			letter(32, anySide).toServer(102, noRecurse),
		value("inc-recursive", "", "", "allow file lists in parts (the default with -r)", setIncRecurse(Yes)).
			alias("i-r").no("i-r").undo(setIncRecurse(No)),
		value("dirs", "d", "", "transfer directories without going down into them", setDirs(DirsYes)).from("2.6.4").
			no().undo(setDirs(DirsNo)).toServer(8, dirsLetter),
		value("old-dirs", "", "", "--dirs for servers before 2.6.4", setDirs(DirsOld)).alias("old-d").in(client).from("3.0.1"),
		value("list-only", "", "", "list the source instead of copying it", setListOnly).from("2.6.4").toServer(101, listOnlyWord),
		value("relative", "R", "", "recreate the whole path of each source", setRelative(Yes)).no().undo(setRelative(No)).toServer(36, relativeLetter),
		value("implied-dirs", "", "", "with --relative, create the directories on the way too", setNoImpliedDirs(false)).alias("i-d").
			no("i-d").undo(setNoImpliedDirs(true)).from("2.6.0").toServer(155, noImpliedDirsWord),
		flag("copy-links", "L", "copy what symlinks point to", func(o *Options) *bool { return &o.CopyLinks }).letter(14, onlyPull),
		flag("copy-unsafe-links", "", "copy what symlinks out of the tree point to",
			func(o *Options) *bool { return &o.CopyUnsafeLinks }).word(135, anySide),
		flag("safe-links", "", "leave out symlinks that point out of the tree", func(o *Options) *bool { return &o.SafeLinks }).word(136, anySide),
		flag("copy-dirlinks", "k", "copy the directory a symlink points to",
			func(o *Options) *bool { return &o.CopyDirlinks }).from("2.6.7").letter(15, onlyPull),
		count("one-file-system", "x", "stay on the file system of each source; twice: leave mount points out",
			func(o *Options) *int { return &o.OneFileSystem }).no().undo(noOneFileSystem).toServer(37, oneFileSystemLetters),
		value("files-from", "", "FILE", "read the names to transfer from a file; HOST:FILE or :FILE is one of the other side",
			text(func(o *Options) *string { return &o.FilesFrom })).from("2.6.0").toServer(151, filesFromWord).toServer(152, filesFromName).
			toServer(153, filesFromZeros).toServer(154, noRelativeWord),
		flag("from0", "0", "names and rules in files end in zero bytes", func(o *Options) *bool { return &o.From0 }).from("2.6.0").noLong(),
		value("ignore-missing-args", "", "", "do not mind sources that do not exist", setMissingArgs(MissingIgnore)).from("3.1.0").
			toServer(130, missingArgsWord),
		flag("prune-empty-dirs", "m", "leave out directories without files",
			func(o *Options) *bool { return &o.PruneEmptyDirs }).from("2.6.7").no().letter(10, onlyPush),
	}
}

func keepRows() []row {
	return []row{
		flag("links", "l", "copy symlinks as symlinks", func(o *Options) *bool { return &o.Links }).no().letter(7, anySide),
		flag("perms", "p", "keep permissions", func(o *Options) *bool { return &o.Perms }).no().letter(28, anySide),
		flag("times", "t", "keep modification times", func(o *Options) *bool { return &o.Times }).no().letter(25, anySide),
		flag("owner", "o", "keep owners (as root)", func(o *Options) *bool { return &o.Owner }).no().letter(22, anySide),
		flag("group", "g", "keep groups", func(o *Options) *bool { return &o.Group }).no().letter(23, anySide),
		value("", "D", "", "the same as --devices --specials", setDevices(true)).no().undo(setDevices(false)),
		flag("devices", "", "keep device files (as root)", func(o *Options) *bool { return &o.Devices }).noLong().toServer(24, devicesLetter),
		flag("specials", "", "keep sockets and named pipes", func(o *Options) *bool { return &o.Specials }).from("2.6.7").
			noLong().toServer(104, specialsWord),
		flag("numeric-ids", "", "keep the numbers of owners and groups, whatever their names",
			func(o *Options) *bool { return &o.NumericIDs }).noLong().word(137, anySide),
		flag("omit-dir-times", "O", "do not keep the times of directories",
			func(o *Options) *bool { return &o.OmitDirTimes }).from("2.6.4").no().letter(11, onlyPush),
		flag("omit-link-times", "J", "do not keep the times of symlinks",
			func(o *Options) *bool { return &o.OmitLinkTimes }).no().letter(12, onlyPush),
		flag("hard-links", "H", "keep hard links", func(o *Options) *bool { return &o.HardLinks }).no().letter(21, anySide),
		flag("executability", "E", "keep only whether a file can be executed", func(o *Options) *bool { return &o.Executability }).from("2.6.7").
			toServer(29, executabilityLetter),
		value("chmod", "", "CHMOD", "change permissions on the way", addChmod).from("2.6.7"),
		value("acls", "A", "", "keep access control lists, and permissions", setACLs).from("3.0.0").no().
			undo(func(s *state, _ string) *Error { s.ACLs = false; return nil }).toServer(30, aclLetter),
		count("xattrs", "X", "keep extended attributes", func(o *Options) *int { return &o.Xattrs }).from("3.0.0").
			no().undo(func(s *state, _ string) *Error { s.Xattrs = 0; return nil }).toServer(31, xattrLetters),
		count("atimes", "U", "keep access times; twice: and read with --open-noatime", func(o *Options) *int { return &o.Atimes }).from("3.2.0").
			no().undo(func(s *state, _ string) *Error { s.Atimes = 0; return nil }).toServer(26, atimesLetters),
		flag("open-noatime", "", "read files without changing their access times", func(o *Options) *bool { return &o.OpenNoatime }).from("3.2.0").
			noLong().toServer(190, noAtimeWord),
		todo("crtimes", "N", "", "keep creation times", "Linux sets no creation times, and rsync on Linux lacks it, too").from("3.2.3").no().never("This rsync does not support --crtimes (-N)"),
		value("super", "", "", "try what only root may do", setSuper(SuperYes)).from("2.6.7").noLong().undo(setSuper(SuperNo)).
			toServer(126, superWord),
		value("fake-super", "", "", "keep root's attributes in extended attributes", setSuper(SuperFake)).from("3.0.0"),
		flag("munge-links", "", "disable symlinks by a prefix", func(o *Options) *bool { return &o.MungeLinks }).noLong(),
		flag("keep-dirlinks", "K", "treat a symlink to a directory within the destination as one",
			func(o *Options) *bool { return &o.KeepDirlinks }).from("2.6.3").letter(9, onlyPush),
		flag("drop-D", "", "create no devices and specials, whatever is transferred",
			func(o *Options) *bool { return &o.DropDevices }).from("3.5.0").noLong(),
		flag("insecure-links", "", "follow symlinks of anybody's in paths given as options",
			func(o *Options) *bool { return &o.InsecureLinks }).from("3.5.0").noLong(),
		value("confine-root", "", "DIR", "refuse paths given as options that lead out of DIR", confine).from("3.5.0"),
		value("usermap", "", "STRING", "map owners: FROM:TO,... by names, numbers, ranges or *", setMap(userMapping())).from("3.1.0").
			toServer(138, mapWord(userMapping())),
		value("groupmap", "", "STRING", "map groups in the same way", setMap(groupMapping())).from("3.1.0").
			toServer(139, mapWord(groupMapping())),
		value("chown", "", "USER:GROUP", "give everything to one owner", setChown).from("3.1.0"),
	}
}

func skipRows() []row {
	return []row{
		flag("update", "u", "skip files that are newer at the destination", func(o *Options) *bool { return &o.Update }).letter(5, anySide),
		flag("checksum", "c", "compare contents, not size and time", func(o *Options) *bool { return &o.Checksum }).no().letter(33, anySide),
		flag("size-only", "", "skip files of the same size", func(o *Options) *bool { return &o.SizeOnly }).word(127, onlyPush),
		flag("ignore-times", "I", "transfer even where size and time agree",
			func(o *Options) *bool { return &o.IgnoreTimes }).letter(35, anySide),
		value("modify-window", "@", "NUM", "take times that differ by up to NUM seconds for equal", setModifyWindow).
			toServer(131, modifyWindowWord),
		flag("existing", "", "create nothing new", func(o *Options) *bool { return &o.IgnoreNonExisting }).
			alias("ignore-non-existing").word(141, onlyPush),
		flag("ignore-existing", "", "leave existing files as they are",
			func(o *Options) *bool { return &o.IgnoreExisting }).from("2.5.2").word(140, onlyPush),
		value("max-size", "", "SIZE", "skip files larger than SIZE",
			size("max-size", maxInt64, func(o *Options, n int64) { o.MaxSize = Number{true, n} })).from("2.6.4").
			toServer(121, sizeWord("--max-size=", func(o *Options) Number { return o.MaxSize })),
		value("min-size", "", "SIZE", "skip files smaller than SIZE",
			size("min-size", maxInt64, func(o *Options, n int64) { o.MinSize = Number{true, n} })).from("2.6.7").
			toServer(120, sizeWord("--min-size=", func(o *Options) Number { return o.MinSize })),
	}
}

func deleteRows() []row {
	return []row{
		value("delete", "", "", "delete what the source does not have", func(s *state, _ string) *Error { s.delete = true; return nil }).
			toServer(122, deleteWord),
		value("delete-before", "", "", "delete before the transfer",
			func(s *state, _ string) *Error { s.deleteBefore = true; return nil }).from("2.6.4"),
		value("delete-during", "", "", "delete during the transfer", setDeleteDuring(DeleteDuring)).from("2.6.4"),
		value("del", "", "", "the same as --delete-during", setDeleteDuring(DeleteDuring)).from("2.6.4"),
		value("delete-delay", "", "", "find deletions during the transfer, delete after it", setDeleteDuring(DeleteDelay)).from("3.0.0"),
		value("delete-after", "", "", "delete after the transfer",
			func(s *state, _ string) *Error { s.deleteAfter = true; return nil }),
		flag("delete-excluded", "", "delete excluded files too", func(o *Options) *bool { return &o.DeleteExcluded }).word(123, onlyPush),
		value("max-delete", "", "NUM", "delete at most NUM files", number("max-delete", minInt32, maxInt32,
			func(o *Options, n int32) { o.MaxDelete = Number{true, int64(n)} })).toServer(119, maxDeleteWord),
		flag("ignore-errors", "", "delete even after read errors", func(o *Options) *bool { return &o.IgnoreErrors }).noLong().word(134, anySide),
		flag("force", "", "delete directories that are in the way, with their contents",
			func(o *Options) *bool { return &o.Force }).noLong().word(124, onlyPush),
		value("delete-missing-args", "", "", "delete sources that do not exist from the destination", setMissingArgs(MissingDelete)).from("3.1.0"),
		value("remove-source-files", "", "", "remove files from the source once they are at the destination", setRemoveSource(RemoveSource)).
			from("2.6.9").toServer(157, removeSourceWord),
		value("remove-sent-files", "", "", "... but not those that were there already", setRemoveSource(RemoveSent)).from("2.6.4"),
	}
}

func filterRows() []row {
	return []row{
		value("exclude", "", "PATTERN", "leave out what fits PATTERN", addRule(RuleExclude)).in(client),
		value("include", "", "PATTERN", "do not leave out what fits PATTERN", addRule(RuleInclude)).in(client),
		value("exclude-from", "", "FILE", "read exclude patterns from FILE", addRule(RuleExcludeFrom)).in(client),
		value("include-from", "", "FILE", "read include patterns from FILE", addRule(RuleIncludeFrom)).in(client),
		value("filter", "f", "RULE", "add a filter rule", addRule(RuleFilter)).in(client).from("2.6.4"),
		value("", "F", "", "read .rsync-filter in each directory; twice: and leave it out", addFolderRules).in(client).from("2.6.4"),
		flag("cvs-exclude", "C", "leave out what CVS would", func(o *Options) *bool { return &o.CVSExclude }).letter(34, anySide),
	}
}

func howRows() []row {
	return []row{
		flag("dry-run", "n", "show what would be done, change nothing", func(o *Options) *bool { return &o.DryRun }).
			toServer(6, func(o *Options, _ Peer) string {
				if o.MovesData() {
					return ""
				}
				return "n"
			}),
		value("whole-file", "W", "", "copy whole files, without looking for differences", setWholeFile(Yes)).no().undo(setWholeFile(No)).
			toServer(20, wholeFileLetter),
		value("block-size", "B", "SIZE", "compare blocks of SIZE bytes",
			size("block-size", maxBlockSize, func(o *Options, n int64) { o.BlockSize = int32(n) })).toServer(107, blockSizeWord),
		value("checksum-choice", "", "STR", "choose the checksum: NAME or TRANSFER,FILE", setChecksumChoice).
			alias("cc").from("3.1.3").toServer(112, checksumChoiceWord),
		value("checksum-seed", "", "NUM", "choose the seed of the checksums",
			number("checksum-seed", minInt32, maxInt32, func(o *Options, n int32) { o.ChecksumSeed = n })).from("2.6.3").
			toServer(132, intWord("--checksum-seed=", func(o *Options) int64 { return int64(o.ChecksumSeed) })),
		flag("fsync", "", "bring every written file safely to the disk", func(o *Options) *bool { return &o.Fsync }).from("3.2.4").word(143, onlyPush),
		count("compress", "z", "compress on the way", func(o *Options) *int { return &o.Compress }).no().
			undo(noCompress).toServer(60, compressLetter),
		value("old-compress", "", "", "compress with zlib", setCompressChoice("zlib")),
		value("new-compress", "", "", "compress with zlibx", setCompressChoice("zlibx")),
		value("compress-choice", "", "STR", "choose the compression: zstd, lz4, zlibx, zlib, none", compressChoice).
			alias("zc").from("3.2.0").toServer(113, compressChoiceWord),
		value("compress-level", "", "NUM", "choose the compression's level", number("compress-level", minInt32, maxInt32,
			func(o *Options, n int32) { o.CompressLevel = Number{true, int64(n)} })).alias("zl").from("2.6.7").
			toServer(103, compressLevelWord),
		value("compress-threads", "", "NUM", "use as many threads for compressing with zstd",
			number("compress-threads", 0, maxInt32, func(o *Options, n int32) { o.CompressThreads = int(n) })).alias("zt").from("3.4.2"),
		value("skip-compress", "", "LIST", "spend no effort on files with these suffixes", setSkipCompress).from("3.0.0").
			toServer(118, skipCompressWord),
		value("max-alloc", "", "SIZE", "the most memory that a file list may take; 0 for no limit", setMaxAlloc).from("3.2.2").
			toServer(129, func(o *Options, _ Peer) string { return o.maxAllocWord }),
		value("qsort", "", "", "sort the list in another way (here there is one)", nothing).in(client),
	}
}
