package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Dialect is what a peer understands of the filter language.
type Dialect struct {
	// Modern peers know every rule and modifier (protocol 29 and later). Others
	// know patterns to exclude, "+ " and "- " before a pattern, and "!".
	Modern bool
	// Perishable peers know the modifier "p" (protocol 30 and later).
	Perishable bool
}

// errTooModern is the refusal of a rule that a peer could not follow.
var errTooModern = errors.New("filter rules are too modern for remote rsync: use plain exclude and include patterns")

// ForPeer returns the part of the list that the peer is told: the rules that
// speak to its side, which is the sending one if peerIsSender. Below protocol
// 29 a receiver is only told if it deletes without --delete-excluded, from 29
// on if it deletes at all; --prune-empty-dirs counts like deleting.
// // exclude.c:send_rules, send_filter_list
func (r *Rules) ForPeer(peerIsSender bool) *Rules {
	side := Receiver
	if peerIsSender {
		side = Sender
	}
	out := &Rules{options: r.options}
	for _, rule := range r.list {
		if rule.concerns(side) && !r.pointless(rule, side) {
			out.list = append(out.list, rule)
		}
	}
	return out
}

// pointless reports whether a merge rule would only bring in rules that are not
// for side: a file of bare patterns under --delete-excluded.
func (r *Rules) pointless(x *rule, side Side) bool {
	return side == Receiver && r.options.DeleteExcluded && x.flags&noPrefixes != 0 && x.flags&sides == 0
}

// AppendList appends the list as it is sent: each rule as its length in 4 bytes
// little-endian and its text, then a length of 0. peerIsSender decides who
// spells out a "-C": a sender has CVS rules of its own, a receiver is told ours.
// // exclude.c:send_rules
func (r *Rules) AppendList(b []byte, d Dialect, peerIsSender bool) ([]byte, error) {
	var err error
	for _, rule := range r.list {
		if rule.flags&cvs != 0 && rule.flags&mergeFile == 0 && (!peerIsSender || !d.Modern) {
			for _, spelled := range rule.cvsList {
				plain := *spelled
				if !d.Perishable {
					plain.flags &^= perishable
				}
				if b, err = plain.append(b, d, peerIsSender); err != nil {
					return nil, err
				}
			}
			continue
		}
		if b, err = rule.append(b, d, peerIsSender); err != nil {
			return nil, err
		}
	}
	return binary.LittleEndian.AppendUint32(b, 0), nil
}

// append appends one rule with its length.
func (r *rule) append(b []byte, d Dialect, peerIsSender bool) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b, err := r.appendText(b, d, peerIsSender)
	if err != nil {
		return nil, fmt.Errorf("send filter rule %q: %w", r.pattern, err)
	}
	n := len(b) - start - 4
	if n > MaxRule {
		return nil, fmt.Errorf("send filter rule %q: its %d bytes are more than %d", abbreviate(r.pattern), n, MaxRule)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(n))
	return b, nil
}

// appendText appends the text of a rule. // exclude.c:get_rule_prefix
func (r *rule) appendText(b []byte, d Dialect, peerIsSender bool) ([]byte, error) {
	f := r.flags
	if f&perishable != 0 && !d.Perishable {
		if !peerIsSender {
			return nil, errTooModern // it would protect too much
		}
		f &^= perishable // to a sender it means nothing
	}
	if !d.Modern {
		return r.appendOld(b, f)
	}
	switch {
	case f&dirMerge != 0:
		b = append(b, ':')
	case f&include != 0:
		b = append(b, '+')
	default:
		b = append(b, '-')
	}
	b = appendModifiers(b, f)
	b = append(b, ' ')
	return r.appendPattern(b), nil
}

func appendModifiers(b []byte, f flags) []byte {
	if f&cvs != 0 {
		f &^= noInherit | wordSplit | noPrefixes
	}
	prefixless := byte('-')
	if f&include != 0 {
		prefixless = '+'
	}
	for _, m := range [...]struct {
		flag flags
		char byte
	}{
		{absPath, '/'}, {negate, '!'}, {cvs, 'C'}, {noInherit, 'n'}, {wordSplit, 'w'}, {noPrefixes, prefixless},
		{xattr, 'x'}, {senderSide, 's'}, {receiverSide, 'r'}, {perishable, 'p'},
	} {
		if f&m.flag != 0 {
			b = append(b, m.char)
		}
	}
	return b
}

// appendOld appends a rule for peers that know bare patterns. What side it is
// for need not be said: it is only sent to that side.
func (r *rule) appendOld(b []byte, f flags) ([]byte, error) {
	if f&^(include|dirOnly|sides) != 0 {
		return nil, errTooModern
	}
	switch {
	case f&include != 0:
		b = append(b, "+ "...)
	case r.pattern == "!", strings.HasPrefix(r.pattern, "- "), strings.HasPrefix(r.pattern, "+ "):
		b = append(b, "- "...) // else the pattern would be taken for a prefix
	}
	return r.appendPattern(b), nil
}

func (r *rule) appendPattern(b []byte) []byte {
	b = append(b, r.pattern...)
	if r.flags&dirOnly != 0 {
		b = append(b, '/')
	}
	return b
}

// AddWire reads the text of one rule as a peer sent it, without its length.
// Merge rules are refused unless Options has a ReadMerge.
// // exclude.c:recv_filter_list
func (r *Rules) AddWire(text string, d Dialect) error {
	if text == "" || len(text) > MaxRule {
		return fmt.Errorf("filter rule of %d bytes from the peer: between 1 and %d are allowed", len(text), MaxRule)
	}
	return r.addOne("filter rule from the peer", text, style{oldPrefixes: !d.Modern})
}

// Lines returns the list as text that [Rules.Add] reads, a rule each, as peers of
// protocol 30 and later are sent it (exclude.c:write_filter_rules).
func (r *Rules) Lines() ([]string, error) {
	var lines []string
	for _, rule := range r.list {
		b, err := rule.appendText(nil, Dialect{Modern: true, Perishable: true}, true)
		if err != nil {
			return nil, err
		}
		lines = append(lines, string(b))
	}
	return lines, nil
}
