package proto

import "fmt"

// DefaultSum is the strong checksum that a version uses when none has been
// negotiated (checksum.c:parse_checksum_choice).
type DefaultSum uint8

// The default strong checksums, oldest first.
const (
	SumMD4Archaic DefaultSum = iota // MD4, tail skipped, 32-bit count, seed differs
	SumMD4Busted                    // MD4, tail of 64-byte multiples skipped
	SumMD4                          // MD4 with the seed hashed first
	SumMD5                          // MD5, unseeded for whole files
)

// Caps says how two sides that have agreed on a version talk to each other.
// It is a value: made by [New], refined once by [Caps.WithCompat], then only read.
type Caps struct {
	Version int // agreed version, MinVersion..MaxVersion; for messages only

	MuxBeforeSeed    bool // a sending daemon frames its output before the seed
	MuxBeforeSeedAll bool // a receiving daemon does so, too
	MuxFromServer    bool // the server frames all it sends after the seed
	MuxFromClient    bool // the client frames all it sends after the seed
	ArgsNulEnded     bool // daemon arguments end in NUL, else in LF
	ListEndsWithExit bool // a daemon ends #list with @RSYNCD: EXIT
	Goodbye          bool // the receiving side ends with a last "done"
	GoodbyeEcho      bool // the sending side answers it and waits for another
	SumLenOnWire     bool // a sum head carries the strong sum's length
	RepeatLongBlocks bool // zlib's history gets the start of long blocks again
	LongDevInode     bool // device and inode numbers are 64 bits wide
	WideFlags        bool // entry flags may take a second byte
	RdevSplit        bool // device numbers travel as major and minor
	HardLinkBit      bool // entries are marked as hard-linked one by one
	SpecialsNoRdev   bool // fifos and sockets carry no device number
	DirsSortLast     bool // files sort before folders on each level
	ItemFlags        bool // each file index is followed by item flags
	ModernFilters    bool // filter rules have all prefixes and modifiers
	KeepAlive        bool // an idle side may send empty frames
	StatsTimes       bool // the statistics have file-list times
	ThreePhases      bool // a third "done" ends delayed updates
	IOErrorAfterList bool // an int with the I/O errors follows the list
	VarInts          bool // numbers travel in variable length
	DeltaIndex       bool // file indexes are sent as differences
	IDNames          bool // owner names travel with the first entry that needs them
	LinkIndex        bool // hard links name the first entry's index
	NoContentDirs    bool // a folder may be marked as not to be looked into
	CompatFlags      bool // the server sends compatibility flags
	NsecTimes        bool // modification times may carry nanoseconds
	ErrorsInList     bool // I/O errors may end a list in-band
	DeleteStats      bool // counts of deletions may travel
	ExitMessages     bool // an exit code travels as a message
	TellsTimeout     bool // a daemon tells of its idle timeout
	DeletesDuring    bool // --delete deletes while it goes, not before
	AppendTrusts     bool // --append need not look at what is there
	DeletedMessages  bool // names of deleted files travel as messages
	Attributes       bool // ACLs and extended attributes can travel
	XattrShortcut    bool // nothing about attributes travels with a hard link's item
	NamesInFrames    bool // the names of --files-from travel in frames
	DigestGreeting   bool // the greeting names authentication digests
	DefaultSum       DefaultSum

	// From the compatibility flags (version 30 and later), see [Compat].
	IncRecurse     bool // the list comes in parts, folder by folder
	SymlinkTimes   bool // the receiver can set times on symbolic links
	SymlinkIconv   bool // targets of symbolic links are converted as names are
	SafeList       bool // errors inside a partial list are announced safely
	AvoidXattrOpt  bool // the hard-link shortcut for xattrs is off
	SeedFirst      bool // block sums hash the seed before the data
	InplacePartial bool // partial-dir files may be updated in place
	VarintFlags    bool // entry flags are varints
	ID0Names       bool // id 0 has a name in the id lists
	Negotiates     bool // both sides send their lists of checksums and compressors
}

// gate is a row of the capability table: the field it sets, the first version
// that has it, the last one (0: still there), and the source that says so.
type gate struct {
	field  string
	since  int
	until  int
	source string
	set    func(*Caps)
}

func (g gate) covers(version int) bool {
	return version >= g.since && (g.until == 0 || version <= g.until)
}

// gates returns the capability table, oldest first. Rows may name a field
// twice; the later row wins.
func gates() []gate {
	return []gate{
		{"DefaultSum=MD4Busted", 21, 0, "checksum.c:145", func(c *Caps) { c.DefaultSum = SumMD4Busted }},
		{"RepeatLongBlocks", 20, 30, "token.c:see_deflate_token", func(c *Caps) { c.RepeatLongBlocks = true }},
		{"MuxBeforeSeed", 20, 22, "clientserver.c:rsync_module", func(c *Caps) { c.MuxBeforeSeed = true }},
		{"MuxBeforeSeedAll", 22, 22, "clientserver.c:457", func(c *Caps) { c.MuxBeforeSeedAll = true }},
		{"MuxFromServer", 23, 0, "main.c:1302", func(c *Caps) { c.MuxFromServer = true }},
		{"Goodbye", 24, 0, "main.c:1006", func(c *Caps) { c.Goodbye = true }},
		{"ListEndsWithExit", 25, 0, "clientserver.c:1384", func(c *Caps) { c.ListEndsWithExit = true }},
		{"LongDevInode", 26, 0, "flist.c:744", func(c *Caps) { c.LongDevInode = true }},
		{"SumLenOnWire", 27, 0, "io.c:2240", func(c *Caps) { c.SumLenOnWire = true }},
		{"DefaultSum=MD4", 27, 0, "checksum.c:143", func(c *Caps) { c.DefaultSum = SumMD4 }},
		{"WideFlags", 28, 0, "flist.c:646", func(c *Caps) { c.WideFlags = true }},
		{"RdevSplit", 28, 0, "flist.c:send_file_entry", func(c *Caps) { c.RdevSplit = true }},
		{"HardLinkBit", 28, 0, "flist.c:send_file_entry", func(c *Caps) { c.HardLinkBit = true }},
		{"DirsSortLast", 29, 0, "flist.c:f_name_cmp", func(c *Caps) { c.DirsSortLast = true }},
		{"ItemFlags", 29, 0, "rsync.c:384", func(c *Caps) { c.ItemFlags = true }},
		{"ModernFilters", 29, 0, "exclude.c:send_rules", func(c *Caps) { c.ModernFilters = true }},
		{"KeepAlive", 29, 0, "io.c:maybe_send_keepalive", func(c *Caps) { c.KeepAlive = true }},
		{"StatsTimes", 29, 0, "main.c:handle_stats", func(c *Caps) { c.StatsTimes = true }},
		{"ThreePhases", 29, 0, "sender.c:send_files", func(c *Caps) { c.ThreePhases = true }},
		{"IOErrorAfterList", 20, 29, "flist.c:send_file_list", func(c *Caps) { c.IOErrorAfterList = true }},
		{"VarInts", 30, 0, "io.c:2509", func(c *Caps) { c.VarInts = true }},
		{"DeltaIndex", 30, 0, "io.c:write_ndx", func(c *Caps) { c.DeltaIndex = true }},
		{"MuxFromClient", 30, 0, "main.c:client_run", func(c *Caps) { c.MuxFromClient = true }},
		{"ArgsNulEnded", 30, 0, "clientserver.c:start_inband_exchange", func(c *Caps) { c.ArgsNulEnded = true }},
		{"IDNames", 30, 0, "flist.c:send_file_entry", func(c *Caps) { c.IDNames = true }},
		{"LinkIndex", 30, 0, "flist.c:send_file_entry", func(c *Caps) { c.LinkIndex = true }},
		{"NoContentDirs", 30, 0, "flist.c:send_file_entry", func(c *Caps) { c.NoContentDirs = true }},
		{"CompatFlags", 30, 0, "compat.c:setup_protocol", func(c *Caps) { c.CompatFlags = true }},
		{"DefaultSum=MD5", 30, 0, "checksum.c:141", func(c *Caps) { c.DefaultSum = SumMD5 }},
		{"Attributes", 30, 0, "compat.c:setup_protocol", func(c *Caps) { c.Attributes = true }},
		{"XattrShortcut", 31, 0, "compat.c:setup_protocol", func(c *Caps) { c.XattrShortcut = true }},
		{"DeletesDuring", 30, 0, "compat.c:setup_protocol", func(c *Caps) { c.DeletesDuring = true }},
		{"AppendTrusts", 30, 0, "compat.c:setup_protocol", func(c *Caps) { c.AppendTrusts = true }},
		{"DeletedMessages", 29, 0, "log.c:log_delete", func(c *Caps) { c.DeletedMessages = true }},
		{"SpecialsNoRdev", 31, 0, "flist.c:send_file_entry", func(c *Caps) { c.SpecialsNoRdev = true }},
		{"NsecTimes", 31, 0, "flist.c:582", func(c *Caps) { c.NsecTimes = true }},
		{"ErrorsInList", 31, 0, "flist.c:write_end_of_flist", func(c *Caps) { c.ErrorsInList = true }},
		{"DeleteStats", 31, 0, "main.c:write_del_stats", func(c *Caps) { c.DeleteStats = true }},
		{"GoodbyeEcho", 31, 0, "main.c:read_final_goodbye", func(c *Caps) { c.GoodbyeEcho = true }},
		{"ExitMessages", 31, 0, "io.c:send_msg_int", func(c *Caps) { c.ExitMessages = true }},
		{"TellsTimeout", 31, 0, "main.c:start_server", func(c *Caps) { c.TellsTimeout = true }},
		{"NamesInFrames", 31, 0, "io.c:start_filesfrom_forwarding", func(c *Caps) { c.NamesInFrames = true }},
		{"DigestGreeting", 32, 0, "clientserver.c:234", func(c *Caps) { c.DigestGreeting = true }},
	}
}

// New returns what the agreed version implies. The version must come from
// [Agree].
func New(version int) (Caps, error) {
	if version < MinVersion || version > MaxVersion {
		return Caps{}, fmt.Errorf("protocol version %d is not one of %d to %d", version, MinVersion, MaxVersion)
	}
	c := Caps{Version: version}
	for _, g := range gates() {
		if g.covers(version) {
			g.set(&c)
		}
	}
	return c, nil
}
