package options

// Tri is a switch that may be left to the program's choice.
type Tri uint8

// The three states. The zero value is Unset.
const (
	Unset Tri = iota
	No
	Yes
)

// Or gives the boolean that t stands for, or fallback when t is unset.
func (t Tri) Or(fallback bool) bool {
	if t == Unset {
		return fallback
	}
	return t == Yes
}

// Number is a whole number that may be absent.
type Number struct {
	Set   bool
	Value int64
}

// DeleteMode says when files that the sender does not have are removed.
type DeleteMode uint8

// The modes. DeleteDefault leaves the moment to the protocol: newer versions
// delete during the transfer, older ones before it. // compat.c:setup_protocol
const (
	DeleteNone DeleteMode = iota
	DeleteDefault
	DeleteBefore
	DeleteDuring
	DeleteDelay
	DeleteAfter
)

// DirsMode says whether directories are transferred when Recurse is off.
type DirsMode uint8

// The modes: not given, --no-dirs, --dirs.
const (
	DirsUnset DirsMode = iota
	DirsNo
	DirsYes
	DirsOld // --old-dirs, until Parse has turned it into -r and a rule
)

// ListMode says whether the run only lists.
type ListMode uint8

// The modes: copy; list because there is no destination; list because
// --list-only asks for it (only then the server is told).
const (
	ListNo ListMode = iota
	ListImplied
	ListAsked
)

// MissingArgs says what happens to sources that do not exist.
type MissingArgs uint8

// The ways: an error, nothing, deletion at the destination.
const (
	MissingFail MissingArgs = iota
	MissingIgnore
	MissingDelete
)

// RemoveMode says which files the sending side removes.
type RemoveMode uint8

// The modes: none; --remove-source-files, all but folders that are as they
// should be at the destination; --remove-sent-files, those whose data went
// there.
const (
	RemoveNone RemoveMode = iota
	RemoveSource
	RemoveSent
)

// Option gives the option that asks for the mode.
func (m RemoveMode) Option() string {
	return [...]string{"", "--remove-source-files", "--remove-sent-files"}[m]
}

// RuleKind says which option brought a filter rule.
type RuleKind uint8

// The kinds. The From kinds carry the name of a file that is still unread.
const (
	RuleFilter RuleKind = iota
	RuleExclude
	RuleInclude
	RuleExcludeFrom
	RuleIncludeFrom
)

// Rule is one filter option as written.
type Rule struct {
	Kind RuleKind
	Text string
}

// Family is the address family for connecting and listening.
type Family uint8

// The families: either, --ipv4, --ipv6.
const (
	FamilyAny Family = iota
	FamilyIPv4
	FamilyIPv6
)

// Options is what a command line, or the argument list sent to a server,
// means. The zero value is rsync's default for everything. Fields bear rsync's
// names. A field whose option the engine does not support yet (see All) is
// zero in whatever Parse and ParseServer return.
type Options struct {
	// Args are the arguments that are not options, in order. For a server the
	// leading "." that closes the options is left out.
	Args []string

	// Server: this side was started by a client. Sender: with Server, this
	// side sends (the client pulls). Daemon: --daemon was given.
	Server, Sender, Daemon bool
	// ClientInfo holds the capability letters a client of protocol 30 and
	// later sends behind "-e.", e.g. "iLsfxCIvu"; "" when there were none.
	ClientInfo string
	// ClientPrerelease is the "VERSION.SUB" a pre-release client puts before
	// the letters, "" for released ones. // compat.c:check_sub_protocol
	ClientPrerelease string
	// Help and Version ask for a text instead of a transfer.
	Help bool
	// Version counts -V: 1 asks for what people read, 2 for JSON.
	Version int

	// What is transferred.
	Recurse    bool     // -r, also from -a
	IncRecurse Tri      // --inc-recursive; unset means allowed
	Dirs       DirsMode // -d; use TransferDirs for the effective value
	Links      bool     // -l
	Devices    bool     // --devices, also from -D
	Specials   bool     // --specials, also from -D
	HardLinks  bool     // -H
	ListOnly   ListMode
	Rules      []Rule // --exclude and its kin, in command-line order
	CVSExclude bool   // -C
	From0      bool   // files of names and rules have zero bytes for line ends
	// Relative keeps the whole path of each source (-R, also from FilesFrom),
	// with the folders on the way unless NoImpliedDirs is set.
	Relative, NoImpliedDirs bool
	// FilesFrom names the list of names to transfer; "-" is the standard input,
	// for a server the client. With FilesFromRemote it is on the other side,
	// which is FilesFromHost if that is not "".
	FilesFrom, FilesFromHost string
	FilesFromRemote          bool
	OneFileSystem            int // count of -x
	MissingArgs              MissingArgs
	TrustSender              bool // the sender's list is not held against what was asked for
	// PruneEmptyDirs leaves out folders in which there is nothing to transfer.
	PruneEmptyDirs bool
	MaxSize        Number // bytes
	MinSize        Number // bytes

	// What is preserved.
	Perms, Times, Owner, Group  bool // -p -t -o -g
	NumericIDs                  bool
	OmitDirTimes, OmitLinkTimes bool // -O -J
	Attributes

	// What is skipped.
	Update            bool // -u
	Checksum          bool // -c
	SizeOnly          bool
	IgnoreTimes       bool // -I
	IgnoreExisting    bool
	IgnoreNonExisting bool   // --existing
	ModifyWindow      Number // seconds; negative compares nanoseconds

	// What is deleted. DeleteExcluded comes with a Delete other than None.
	Delete         DeleteMode
	DeleteExcluded bool
	MaxDelete      Number // 0 forbids every deletion
	IgnoreErrors   bool
	Force          bool
	RemoveSource   RemoveMode // at the sending side

	// How it is transferred.
	DryRun bool // -n
	Batch
	WholeFile Tri // -W; unset: whole files only for local copies
	// BlockSize is that of -B in bytes, 0 for the one that depends on the file's
	// size. At most 512 MiB; the protocol in use may allow less.
	BlockSize      int32
	ChecksumChoice string // "" for negotiation; "name" or "transfer,preupdate"
	ChecksumSeed   int32  // 0 for a random one
	// Compress counts -z; see Compression for what all of these come to.
	Compress       int
	CompressChoice string // "" or "auto" for negotiation, else a name
	CompressLevel  Number
	// SkipCompress is the value of --skip-compress, if SkipCompressSet.
	SkipCompress    string
	SkipCompressSet bool
	CompressThreads int // of --compress-threads; 0: as many as are of use
	// MaxAlloc is the most memory that the file list of a connection may take, in
	// bytes; a value of 0 is no limit, and unset the program's choice.
	MaxAlloc     Number
	maxAllocWord string // as it was written: each side makes its own of it
	Protocol     int    // highest version to announce, 0 for the newest
	Timeout      int    // seconds without data, 0 for none
	Contimeout   int    // seconds for connecting, 0 for none
	Fsync        bool
	Files        // how what is received gets into its place

	// What is said.
	Stderr        Stderr
	Verbose       int // count of -v
	Quiet         int // count of -q
	Itemize       int // count of -i
	Progress      bool
	Stats         bool
	HumanReadable int // count of -h: 0 groups digits, 1 units of 1000, 2 of 1024; -1 for --no-h
	// OutFormat is how changes are listed, LogFileFormat how LogFile has them; ""
	// for the usual ways, see Format.
	OutFormat, LogFileFormat, LogFile string
	// InfoHelp and DebugHelp ask what there is to ask for.
	InfoHelp, DebugHelp bool
	info                [infoWords]level
	debug               [debugWords]level
	EightBit            bool   // -8: names are shown as they are
	Outbuf              string // N, L or B; "" for the usual way
	BwLimit             int64  // KiB a second that this side writes at most, 0 for no limit
	StopAt              string // the point in time at which it ends, see StopTime
	StopAfter           int    // minutes after which the run ends, 0 for none
	// LogFormat is what a client tells a server about its own output:
	// "%i", "%i%I", "%o", "X" or "". // options.c:server_options
	LogFormat string

	// Where to.
	Shell     string // -e, "" for the usual one
	RsyncPath string // the program to run behind the remote shell, "" for rsync
	Port      int    // 0 when not given
	Address   string // local address to bind or listen on
	Family    Family
	SockOpts  string // names of socket options, for package sockopts
	// Secluded is -s: the arguments go through the protocol, past all shells.
	// Incomplete, for a server, says that they are still to come.
	Secluded   Tri
	Incomplete bool
	// OldArgs is how much is left to remote shells to split, as in releases
	// before 3.2.4: 1 paths, 2 the values of options too, -1 for --no-old-args.
	OldArgs int
	// Iconv is the character set of this side's names, where they are to travel in
	// UTF-8: a name, or "." for that of the locale. "" asks for no conversion.
	Iconv       string
	iconvRemote string // that of the other side, as it is told
	// RemoteOptions go to the other side as they are.
	RemoteOptions []string
	// PasswordFile holds the password for a daemon, "" for none, "-" for the
	// standard input. EarlyInput holds what its early exec gets.
	PasswordFile, EarlyInput string
	Motd                     Tri // No: leave out the daemon's lines of text

	// Daemon mode.
	Config string // --config
	// Over are parameters that count more than the global ones of the file,
	// "name=value" each: --dparam, and options that stand for such.
	Over     []string
	NoDetach bool
}
