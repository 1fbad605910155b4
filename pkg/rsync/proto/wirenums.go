package proto

// Tag is the kind of a multiplexed frame (rsync.h: enum msgcode).
type Tag uint8

// TagBase is added to a tag in a frame's header (rsync.h: MPLEX_BASE).
const TagBase = 7

// MaxFrame is the largest payload of a frame in bytes (24 bits of length).
const MaxFrame = 0xffffff

// The tags.
const (
	TagData        Tag = 0   // payload of the data stream
	TagErrorXfer   Tag = 1   // text: a transfer error, exit code 23
	TagInfo        Tag = 2   // text for the user
	TagError       Tag = 3   // text: an error
	TagWarning     Tag = 4   // text: a warning
	TagErrorSocket Tag = 5   // text: for a log file
	TagLog         Tag = 6   // text: for a log file only
	TagClient      Tag = 7   // text: for the client only
	TagErrorUTF8   Tag = 8   // text: a name that could not be converted
	TagRedo        Tag = 9   // int32: index to transfer again
	TagStats       Tag = 10  // statistics for the generator
	TagIOError     Tag = 22  // int32: the sender's I/O error flags
	TagIOTimeout   Tag = 33  // int32: the daemon's timeout in seconds
	TagNoop        Tag = 42  // nothing; keeps a connection alive
	TagErrorExit   Tag = 86  // int32: exit code (may be empty)
	TagSuccess     Tag = 100 // int32: index that has arrived
	TagDeleted     Tag = 101 // text: name of a deleted file
	TagNoSend      Tag = 102 // int32: index that could not be opened
)

// Special file indexes (rsync.h: NDX_*).
const (
	IndexDone     int32 = -1
	IndexListEnd  int32 = -2
	IndexDelStats int32 = -3
	IndexListBase int32 = -101
)

// EntryFlags are the flags of a file-list entry on the wire (rsync.h: XMIT_*).
// Some bits mean different things in different versions or kinds of entry.
type EntryFlags uint32

// The flags.
const (
	FlagTopDir        EntryFlags = 1 << 0
	FlagSameMode      EntryFlags = 1 << 1
	FlagExtended      EntryFlags = 1 << 2 // 28 and later: a second byte follows
	FlagSameRdevOld   EntryFlags = 1 << 2 // before 28
	FlagSameUID       EntryFlags = 1 << 3
	FlagSameGID       EntryFlags = 1 << 4
	FlagSameName      EntryFlags = 1 << 5
	FlagLongName      EntryFlags = 1 << 6
	FlagSameTime      EntryFlags = 1 << 7
	FlagSameRdevMajor EntryFlags = 1 << 8  // devices
	FlagNoContentDir  EntryFlags = 1 << 8  // folders, 30 and later
	FlagHardLinked    EntryFlags = 1 << 9  // 28 and later, not folders
	FlagSameDev       EntryFlags = 1 << 10 // 28 and 29
	FlagUserName      EntryFlags = 1 << 10 // 30 and later
	FlagRdevMinor8    EntryFlags = 1 << 11 // 28 and 29
	FlagGroupName     EntryFlags = 1 << 11 // 30 and later
	FlagLinkFirst     EntryFlags = 1 << 12 // 30 and later, hard-linked
	FlagErrorEndList  EntryFlags = 1 << 12 // with FlagExtended alone: end of list
	FlagNsec          EntryFlags = 1 << 13 // 31 and later
	FlagSameAtime     EntryFlags = 1 << 14
)

// Item is the set of item flags that travel with a file index and make up an
// itemized line (rsync.h: ITEM_*).
type Item uint32

// The item flags.
const (
	ItemAtime       Item = 1 << 0
	ItemChange      Item = 1 << 1
	ItemSize        Item = 1 << 2 // regular files
	ItemTimeFail    Item = 1 << 2 // symbolic links
	ItemTime        Item = 1 << 3
	ItemPerms       Item = 1 << 4
	ItemOwner       Item = 1 << 5
	ItemGroup       Item = 1 << 6
	ItemACL         Item = 1 << 7
	ItemXattr       Item = 1 << 8
	ItemCrtime      Item = 1 << 10
	ItemBasisType   Item = 1 << 11 // a basis type byte follows
	ItemXname       Item = 1 << 12 // a name follows
	ItemNew         Item = 1 << 13
	ItemLocalChange Item = 1 << 14
	ItemTransfer    Item = 1 << 15

	// Beyond the 16 bits of the wire: for this side only.
	ItemMissing Item = 1 << 16
	ItemDeleted Item = 1 << 17
	ItemMatched Item = 1 << 18 // as it should be, in another folder
)

// ItemWire is the mask of the item flags that travel.
const ItemWire Item = 0xffff

// ItemSignificant is the set of flags that make an item worth telling the
// peer about (rsync.h: SIGNIFICANT_ITEM_FLAGS).
const ItemSignificant = ^(ItemBasisType | ItemXname | ItemLocalChange)

// Basis types that follow an index with ItemBasisType (rsync.h: FNAMECMP_*).
const (
	BasisDirLow     = 0x00
	BasisDirHigh    = 0x7f
	BasisName       = 0x80
	BasisPartialDir = 0x81
	BasisBackup     = 0x82
	BasisFuzzy      = 0x83
)

// I/O error flags of a sender (rsync.h: IOERR_*).
const (
	IOErrGeneral  = 1 << 0
	IOErrVanished = 1 << 1
	IOErrDelLimit = 1 << 2
)

// Limits of the protocol (rsync.h).
const (
	MaxPath       = 4096      // bytes of a name or link target
	MaxBlock      = 1 << 17   // bytes of a delta block, 30 and later
	MaxBlockOld   = 1 << 29   // bytes of a delta block before 30
	MaxSum        = 32        // bytes of a strong sum, with room to spare
	LiteralChunk  = 32 * 1024 // bytes of literal data per token
	BlockLength   = 700       // default bytes per delta block
	ShortSumBytes = 2         // strong sum bytes in the first pass
)
