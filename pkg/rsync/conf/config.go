package conf

// Tri is a boolean that may also be left unset, which lets the program choose
// by circumstance (rsyncd.conf's "use chroot", "numeric ids").
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

// String gives the spelling used in rsyncd.conf.
func (t Tri) String() string {
	switch t {
	case No:
		return "no"
	case Yes:
		return "yes"
	}
	return "unset"
}

// Config is what one rsyncd.conf, with the files it includes, says.
type Config struct {
	Global Global
	// Defaults are the module parameters of the global part, as they stand at
	// its end: what holds before a client has named a module.
	Defaults Module
	// Places tells where each global parameter that is set stands, as file:line.
	Places map[string]string
	// Notes are places that say something else than their writer may think.
	Notes []*Error
	// Modules stand in the order of their first [header]. Module names differ
	// from each other even when case and white space are ignored.
	Modules []Module
}

// Global holds what concerns the daemon as a whole. Strings may hold %VAR%
// references; Expanded replaces them.
type Global struct {
	// Address is the name or IP address to listen on, "" for all.
	Address string
	// Port is the TCP port, 0 when the file names none (rsync: 873).
	Port int
	// ListenBacklog is how many connections may wait to be accepted, 0 for as
	// many as the system allows (rsync: 5).
	ListenBacklog int
	// MotdFile is shown to every client on connecting, "" for none.
	MotdFile string
	// PidFile receives the daemon's process id, "" for none.
	PidFile string
	// LogFile is where messages go that belong to no module, "" when unset.
	LogFile string
	// DaemonUID and DaemonGID are whom the daemon itself runs as once it
	// listens, by name or number, "" for whoever starts it.
	DaemonUID, DaemonGID string
	// DaemonChroot is a folder in which the daemon is locked up before it talks
	// to clients; all paths but those of LogFile and PidFile begin there. "" for
	// none.
	DaemonChroot string
	// SocketOptions are set on the socket that listens; connections inherit them.
	SocketOptions string
	// ProxyProtocol says that all connections come from proxies, which say
	// first for whom they call.
	ProxyProtocol bool
	// ProxyHosts are those proxies, in the form of HostsAllow.
	ProxyHosts string

	// TotalConnections and PerAddress bound all connections at a time, and those
	// of one address, 0 for the program's own limits.
	TotalConnections, PerAddress int
	// StatusAddress, as host:port, is where the status page is served, "" for
	// nowhere; StatusNames are the names besides addresses and localhost by
	// which it may be asked for, in the form of HostsAllow.
	StatusAddress, StatusNames string
	// LogJSON has the log written as a JSON object a line.
	LogJSON bool
}

// Module is one exported directory tree with rsync's defaults filled in. Uid,
// gid and paths stand as written: nothing is looked up here. Strings may hold
// %VAR% references until Expanded is called.
type Module struct {
	// Name as in the [header], each inner run of white space made one space.
	Name string
	// File and Line are where the [header] stands, for messages.
	File string
	Line int
	// Path is the directory served; never empty after Parse. Trailing slashes
	// are dropped except for "/" itself, as rsync does (so that a directory
	// whose name ends in a space can be written with a slash behind it). An
	// inner "/./" is kept: it divides the chroot from what is served.
	Path string
	// Comment stands beside the name in the listing of modules.
	Comment string
	// ReadOnly refuses uploads (default yes), WriteOnly refuses downloads
	// (default no), List shows the module in listings (default yes).
	ReadOnly, WriteOnly, List bool
	// UID is a user name or number, "" for rsync's default: nobody when the
	// daemon runs as root, else no change.
	UID string
	// GID is the list as written; GIDs splits it. "" as for UID.
	GID string
	// UseChroot unset: try, and carry on without where it is not possible.
	UseChroot Tri
	// NumericIDs unset: yes in a chroot without a NameConverter, else no.
	NumericIDs Tri
	// Timeout of reading and writing in seconds, 0 for the client's choice.
	Timeout int
	// MaxVerbosity is the highest -v level honoured for the daemon's log.
	MaxVerbosity int
	// Filter, Include and Exclude are the daemon's own rules, each a list
	// separated by white space, handed on verbatim. Priority in this order.
	Filter, Include, Exclude string
	// DontCompress are patterns of files that are sent as they are even if the
	// client asks for compression, separated by white space.
	DontCompress string
	// RefuseOptions are the patterns of "refuse options", one an element.
	RefuseOptions []string
	// LogFile of this module's transfers; the global one unless overridden.
	LogFile string

	// AuthUsers are rules for who may log in, as written; Auths splits them.
	// "": everybody may, without a password.
	AuthUsers string
	// SecretsFile holds the passwords; StrictModes (default yes) refuses it
	// where others can read it. AuthDigest is the weakest digest by which a
	// password may be proved, "" for any.
	SecretsFile, AuthDigest string
	StrictModes             bool
	// HostsAllow and HostsDeny are lists of patterns as written; Hosts splits
	// them.
	HostsAllow, HostsDeny string
	// ReverseLookup (default yes) asks for the client's name, ForwardLookup
	// (default yes) for the addresses of the names in the lists of hosts.
	ReverseLookup, ForwardLookup bool
	// MaxConnections bounds the connections at a time of all modules with the
	// same LockFile, 0 for no bound; a negative number closes the module.
	MaxConnections int
	LockFile       string

	// Charset is the character set of the module's names, for clients with
	// --iconv; "" refuses that.
	Charset string

	// IncludeFrom and ExcludeFrom name files of patterns, one a line. They
	// come before Include and Exclude.
	IncludeFrom, ExcludeFrom string
	// IncomingChmod and OutgoingChmod change the permissions of what is
	// received and sent, in chmod's language.
	IncomingChmod, OutgoingChmod string
	// IgnoreErrors deletes in spite of errors, IgnoreNonreadable leaves out
	// what cannot be read.
	IgnoreErrors, IgnoreNonreadable bool
	// InsecureLinks has links followed whoever owns them in the paths that the
	// module's parameters name, but for the secrets and lock files.
	InsecureLinks bool
	// MungeSymlinks makes links harmless on the way in and good again on the way
	// out; unset: where the module is not a chroot of its own.
	MungeSymlinks Tri
	// FakeSuper has root's attributes written down instead of set. TempDir, below
	// the module, is where files are made, unless the client names one.
	FakeSuper bool
	TempDir   string
	// OpenNoatime unset: as the client wishes.
	OpenNoatime Tri
	// TransferLogging writes a line in LogFormat for each file.
	TransferLogging bool
	LogFormat       string
	// SyslogFacility and SyslogTag ask for the system's log where there is no
	// LogFile; "" when unset (rsync: daemon and rsyncd).
	SyslogFacility, SyslogTag string
	// EarlyExec, PreXferExec and PostXferExec are commands for the shell,
	// "" for none. Expanded leaves them as they are: what is put into a command
	// must be looked at first.
	EarlyExec, PreXferExec, PostXferExec string
	// NameConverter is a command for the shell, too: it turns ids of users and
	// groups into names and back, a line each.
	NameConverter string

	// Bandwidth is how much may be sent and received by all transfers together,
	// BandwidthPerAddress by those of one address, each way, in bytes per second,
	// 0 for no limit.
	Bandwidth, BandwidthPerAddress int64
	// MaxQueue clients at a time may wait, for up to QueueTime seconds, when
	// MaxConnections are taken.
	MaxQueue, QueueTime int
	// MaxTransferTime bounds a transfer, in seconds, 0 for no bound.
	MaxTransferTime int
}

// Source is what Parse may ask for while it reads. Implementations need not be
// safe for concurrent use. Parse itself never touches the file system.
type Source interface {
	// Env gives an environment variable and whether it is set.
	Env(name string) (value string, ok bool)
	// Read gives the text of a file that &include or &merge names.
	Read(path string) ([]byte, error)
	// List gives the names (without the directory, in any order) of the files
	// in path, and dir = false when path is not a directory.
	List(path string) (names []string, dir bool, err error)
}
