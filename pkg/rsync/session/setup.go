package session

import (
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
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
	// Server only: the letters that the client has shown, and the seed.
	Letters string
	Seed    int32
	// Client only: compatibility flags that our letters did not allow.
	Refused proto.Compat
}

// Agreed is the outcome.
type Agreed struct {
	Caps             proto.Caps
	Seed             int32
	FileSum, ListSum checksum.Algorithm
	PeerFrames       bool // what the peer sends from here on is in frames
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
	ours, theirs := a.Caps.MuxFromClient, serverFrames
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
		f = proto.CompatFor(s.Letters)
		if _, err := w.Write(wire.AppendVarInt(nil, int32(f))); err != nil {
			return err
		}
	} else {
		f = proto.Compat(r.VarInt())
		if r.Err() != nil {
			return broken(proto.ExitStreamIO, fmt.Errorf("read compatibility flags: %w", r.Err()))
		}
		if f&s.Refused != 0 {
			return proto.Failf(proto.ExitProtocol, "the server wants compatibility flags 0x%x, which were not offered", f&s.Refused)
		}
	}
	a.Caps = s.Caps.WithCompat(f)
	return nil
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

// sums settles the strong sums: by --checksum-choice, by negotiation, or by
// version (compat.c:negotiate_the_strings).
func (s Setup) sums(r *wire.Reader, w *wire.Writer, a *Agreed) error {
	fallback := defaultSum(a.Caps.DefaultSum)
	auto := checksum.IsAuto(s.Choice)
	if auto && a.Caps.Negotiates {
		sum, err := s.negotiate(r, w)
		if err != nil {
			return err
		}
		a.FileSum, a.ListSum = sum, sum
		return nil
	}
	a.FileSum, a.ListSum = fallback, fallback
	if auto {
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

func (s Setup) negotiate(r *wire.Reader, w *wire.Writer) (checksum.Algorithm, error) {
	ours := checksum.ClientList
	if s.Server {
		ours = checksum.ServerList
	}
	if err := sendText(w, string(wire.AppendVString(nil, ours))); err != nil {
		return checksum.None, fmt.Errorf("send the list of checksums: %w", err)
	}
	theirs := r.VString(checksum.MaxList, "list of checksums")
	if r.Err() != nil {
		return checksum.None, broken(proto.ExitStreamIO, fmt.Errorf("read the peer's list of checksums: %w", r.Err()))
	}
	if s.Server {
		ours, theirs = theirs, ours
	}
	sum, err := checksum.Negotiate(ours, theirs) // the client's first
	return sum, proto.Fail(proto.ExitUnsupported, err)
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
	return opt.Delete != options.DeleteNone && (!opt.DeleteExcluded || caps.ModernFilters)
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
