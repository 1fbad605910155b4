package session

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Setup is what one side brings to the agreement after the arguments.
type Setup struct {
	Caps   proto.Caps
	Server bool
	Sender bool   // this side sends files
	Choice string // --checksum-choice, "" to negotiate
	Lists  bool   // --checksum: the list needs a sum, too
	// Compress asks for compression, with CompressChoice or, if that is "",
	// with what is negotiated; CompressLevel is compress.LevelUnset if none
	// was given.
	Compress        bool
	CompressChoice  string
	CompressLevel   int
	CompressThreads int // of --compress-threads; 0: as many as are of use
	// Messages has a client that receives put what it sends into frames, even
	// where its version would not, because it will have messages for the sender
	// (options.c: need_messages_from_generator).
	Messages bool
	// IncRecurse is set if this side can do with a list that comes in parts.
	IncRecurse bool
	// SumList and CompressList are the names to negotiate with, "" for the usual
	// ones.
	SumList, CompressList string
	// Recorded is set where the stream is that of a batch file: nothing is left
	// to negotiate, and nobody hears us.
	Recorded bool
	// Server only: the letters that the client has shown, and the seed.
	Letters string
	Seed    int32
}

// Seed returns the seed that a server gives: what the client asks for, or chance.
func Seed(opt *options.Options) int32 {
	if opt.ChecksumSeed != 0 {
		return opt.ChecksumSeed
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return int32(binary.LittleEndian.Uint32(b[:]) | 1)
}

// Agreed is the outcome.
type Agreed struct {
	Caps             proto.Caps
	Seed             int32
	FileSum, ListSum checksum.Algorithm
	Compression      compress.Config
	Compat           proto.Compat // as the server has sent them
	PeerFrames       bool         // what the peer sends from here on is in frames
}

// Run exchanges compatibility flags, checksum names and the seed
// (compat.c:setup_protocol), and switches the streams to frames where the
// version has them.
func (s Setup) Run(r *wire.Reader, w *wire.Writer) (Agreed, error) {
	early := s.Caps.MuxBeforeSeed && (s.Caps.MuxBeforeSeedAll || s.serverSends())
	var told lastWords
	if early && s.Server {
		w.StartMux()
	} else if early {
		r.StartMux(told.hear)
	}
	a := Agreed{Caps: s.Caps}
	for _, step := range []func(*wire.Reader, *wire.Writer, *Agreed) error{s.compat, s.sums, s.seed} {
		if err := step(r, w, &a); err != nil {
			return a, told.explain(err)
		}
	}
	serverFrames := early || a.Caps.MuxFromServer
	ours, theirs := a.Caps.MuxFromClient || s.Messages && s.serverSends(), serverFrames
	if s.Server {
		ours, theirs = theirs, ours
	}
	if ours {
		w.StartMux()
	}
	a.PeerFrames = theirs
	return a, nil
}

// lastWords keeps the text of messages that come before there is anybody to
// hand them to, such as why a daemon gives up.
type lastWords struct{ text string }

const maxLastWords = 1024 // bytes

func (l *lastWords) hear(tag proto.Tag, payload []byte) error {
	switch tag {
	case proto.TagError, proto.TagErrorXfer, proto.TagInfo, proto.TagWarning:
		l.text = l.text + string(payload[:min(len(payload), maxLastWords-len(l.text))])
	}
	return nil
}

// explain adds what the peer has said to an error.
func (l *lastWords) explain(err error) error {
	text := strings.TrimSpace(l.text)
	if text == "" {
		return err
	}
	return fmt.Errorf("%w; the peer says: %s", err, printable(text))
}

func (s Setup) serverSends() bool { return s.Server == s.Sender }

func (s Setup) compat(r *wire.Reader, w *wire.Writer, a *Agreed) error {
	if !s.Caps.CompatFlags {
		return nil
	}
	var f proto.Compat
	if s.Server {
		f = s.flags()
		if _, err := w.Write(wire.AppendVarInt(nil, int32(f))); err != nil {
			return err
		}
	} else {
		f = proto.Compat(r.VarInt())
		if r.Err() != nil {
			return broken(proto.ExitStreamIO, fmt.Errorf("read compatibility flags: %w", r.Err()))
		}
		if s.Recorded && f&proto.CompatIncRecurse != 0 && !s.IncRecurse {
			return proto.Failf(proto.ExitSyntax, "Incompatible options specified for inc-recursive batch file.")
		}
		if f&proto.CompatIncRecurse != 0 && !s.IncRecurse {
			return proto.Failf(proto.ExitProtocol, "the server wants to send the file list in parts, which was not offered")
		}
	}
	a.Caps, a.Compat = s.Caps.WithCompat(f), f
	return nil
}

// flags returns a server's compatibility flags. A sender tells a list in parts
// only to those who hear of errors in it: what is missing from a part must not
// be deleted.
func (s Setup) flags() proto.Compat {
	f := proto.CompatFor(s.Letters)
	if !s.IncRecurse || s.Sender && !s.Caps.WithCompat(f).SafeList {
		f &^= proto.CompatIncRecurse
	}
	return f
}

// defaultSum is the strong sum that a version implies.
func defaultSum(d proto.DefaultSum) checksum.Algorithm {
	switch d {
	case proto.SumMD4Archaic:
		return checksum.MD4Archaic
	case proto.SumMD4Busted:
		return checksum.MD4Busted
	case proto.SumMD4:
		return checksum.MD4Old
	}
	return checksum.MD5
}

// sums settles the strong sums and the compression: by choice, by negotiation,
// or by version (compat.c:negotiate_the_strings). All lists go out before the
// first comes in.
func (s Setup) sums(r *wire.Reader, w *wire.Writer, a *Agreed) error {
	negotiates := a.Caps.Negotiates && !s.Recorded
	autoSum := checksum.IsAuto(s.Choice) && negotiates
	autoZip := s.Compress && s.CompressChoice == "" && negotiates
	ourSums, ourZips := checksum.ClientList, compress.ClientList
	if s.Server {
		ourSums, ourZips = checksum.ServerList, compress.ServerList
	}
	if s.SumList != "" {
		ourSums = s.SumList
	}
	if s.CompressList != "" {
		ourZips = s.CompressList
	}
	var lists []byte
	if autoSum {
		lists = wire.AppendVString(lists, ourSums)
	}
	if autoZip {
		lists = wire.AppendVString(lists, ourZips)
	}
	if len(lists) > 0 {
		if err := sendText(w, string(lists)); err != nil {
			return fmt.Errorf("send the lists of checksums and compressors: %w", err)
		}
	}
	if err := s.chooseSums(r, a, autoSum, ourSums); err != nil {
		return err
	}
	return s.chooseCompression(r, a, autoZip, ourZips)
}

// BatchLists returns what a client that writes a batch negotiates with: what a
// version implies, for who reads the batch can only go by that
// (compat.c:getenv_nstr).
func BatchLists(caps proto.Caps) (sums, compressors string) {
	return strings.ToLower(defaultSum(caps.DefaultSum).String()), compress.Fallback.String()
}

func (s Setup) chooseSums(r *wire.Reader, a *Agreed, auto bool, ours string) error {
	fallback := defaultSum(a.Caps.DefaultSum)
	if auto {
		client, server, err := s.lists(r, ours, checksum.MaxList, "list of checksums")
		if err != nil {
			return err
		}
		a.FileSum, err = checksum.Negotiate(client, server)
		a.ListSum = a.FileSum
		return proto.Fail(proto.ExitUnsupported, err)
	}
	a.FileSum, a.ListSum = fallback, fallback
	if checksum.IsAuto(s.Choice) {
		return nil
	}
	c, err := checksum.ParseChoice(s.Choice, fallback)
	if err == nil && s.Lists {
		err = c.CheckFile()
	}
	if err != nil {
		return proto.Fail(proto.ExitUnsupported, err)
	}
	a.FileSum, a.ListSum = c.Transfer, c.File
	return nil
}

func (s Setup) chooseCompression(r *wire.Reader, a *Agreed, auto bool, ours string) error {
	if !s.Compress {
		return nil
	}
	algorithm := compress.Fallback
	switch {
	case auto:
		client, server, err := s.lists(r, ours, compress.MaxList, "list of compressors")
		if err != nil {
			return err
		}
		if algorithm, err = compress.Negotiate(client, server); err != nil {
			return proto.Fail(proto.ExitUnsupported, err)
		}
	case s.CompressChoice != "":
		var err error
		if algorithm, err = compress.Parse(s.CompressChoice); err != nil {
			return proto.Fail(proto.ExitUnsupported, err)
		}
	}
	a.Compression.Algorithm, a.Compression.Level = algorithm.AtLevel(s.CompressLevel)
	a.Compression.RepeatLongBlocks = a.Caps.RepeatLongBlocks
	a.Compression.Threads = s.CompressThreads
	return nil
}

// lists reads the peer's list and returns both, the client's first.
func (s Setup) lists(r *wire.Reader, ours string, limit int, what string) (client, server string, err error) {
	theirs := r.VString(limit, what)
	if r.Err() != nil {
		return "", "", broken(proto.ExitStreamIO, fmt.Errorf("read the peer's %s: %w", what, r.Err()))
	}
	if s.Server {
		return theirs, ours, nil
	}
	return ours, theirs, nil
}

// WithCompression is s with what the options ask for.
func (s Setup) WithCompression(opt *options.Options) Setup {
	s.Compress, s.CompressChoice = opt.Compression()
	s.CompressLevel, s.CompressThreads = compress.LevelUnset, opt.CompressThreads
	if opt.CompressLevel.Set {
		s.CompressLevel = int(opt.CompressLevel.Value)
	}
	return s
}

func (s Setup) seed(r *wire.Reader, w *wire.Writer, a *Agreed) error {
	if s.Server {
		a.Seed = s.Seed
		if err := sendText(w, string(wire.AppendInt32(nil, s.Seed))); err != nil {
			return fmt.Errorf("send checksum seed: %w", err)
		}
		return nil
	}
	a.Seed = r.Int32()
	if r.Err() != nil {
		return broken(proto.ExitStreamIO, fmt.Errorf("read checksum seed: %w", r.Err()))
	}
	return nil
}

// ReceiverWantsRules reports whether a receiving server is sent a filter list
// (exclude.c:send_filter_list, receiver_wants_list).
func ReceiverWantsRules(caps proto.Caps, opt *options.Options) bool {
	return opt.PruneEmptyDirs || opt.Delete != options.DeleteNone && (!opt.DeleteExcluded || caps.ModernFilters)
}

// Dialect is how filter rules are written for a peer.
func Dialect(caps proto.Caps) filter.Dialect {
	return filter.Dialect{Modern: caps.ModernFilters, Perishable: caps.VarInts}
}

// maxRuleBytes bounds a client's whole filter list.
const maxRuleBytes = 1 << 20

// ReadRules reads a client's filter list into rules (exclude.c:recv_filter_list).
// How many rules there may be is up to rules, how long they may be in all is
// bounded here.
func ReadRules(r *wire.Reader, caps proto.Caps, rules *filter.Rules) error {
	left := maxRuleBytes
	ageCVS(caps, rules)
	for {
		n := r.Int32()
		if n == 0 && r.Err() == nil {
			return nil
		}
		text := r.Bytes(int64(n), filter.MaxRule, "length of a filter rule")
		if r.Err() != nil {
			return broken(proto.ExitStreamIO, fmt.Errorf("read filter list: %w", r.Err()))
		}
		if left -= len(text); left < 0 {
			return proto.Failf(proto.ExitProtocol, "the client's filter list has more than %d bytes", maxRuleBytes)
		}
		if err := rules.AddWire(string(text), Dialect(caps)); err != nil {
			return proto.Fail(proto.ExitProtocol, err)
		}
	}
}
