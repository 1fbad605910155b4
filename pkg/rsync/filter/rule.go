package filter

import (
	"strings"
)

// Side is the end of a transfer that asks.
type Side uint8

const (
	// Sender asks what to put into the file list.
	Sender Side = 1 + iota
	// Receiver asks what to protect from deletion.
	Receiver
)

// Verdict is what the rules say about a name.
type Verdict int8

const (
	// None means that no rule matches: the name is treated as included.
	None Verdict = iota
	// Include shows a name to the receiver, or puts it at risk of deletion.
	Include
	// Exclude hides a name from the receiver, or protects it from deletion.
	Exclude
)

// String is "none", "include" or "exclude".
func (v Verdict) String() string {
	switch v {
	case Include:
		return "include"
	case Exclude:
		return "exclude"
	}
	return "none"
}

// flags are the properties of a rule. // rsync.h:FILTRULE_*
type flags uint16

const (
	include      flags = 1 << iota // the rule includes; otherwise it excludes
	absPath                        // "/": match the absolute path of the item
	negate                         // "!": match what the pattern does not
	cvs                            // "C": the CVS rules, or a file of them
	perishable                     // "p": ignored in directories being deleted
	xattr                          // "x": about extended attributes
	senderSide                     // "s"; both sides or none of the two: both
	receiverSide                   // "r"
	dirOnly                        // the pattern ended in a slash
	mergeFile                      // ".": read a file of rules once
	dirMerge                       // ":": read a file of rules in each directory
	noInherit                      // "n": only for the file's own directory
	wordSplit                      // "w": rules end at any white space
	noPrefixes                     // "-" or "+" on a merge: patterns only
	excludeSelf                    // "e": leave the merge file itself out

	sides = senderSide | receiverSide
	// inherited goes from a merge rule to the rules in its file.
	inherited = absPath | include | perishable
)

// rule is one parsed rule, ready to match. It is not changed once it is made.
type rule struct {
	flags
	pattern string // as written, without a trailing slash
	// base is the directory of the merge file that an anchored rule came from,
	// as an absolute path without a trailing slash; "" elsewhere.
	base string

	match   matcher
	cvsList []*rule // the rules in whose place a "-C" stands
}

// newRule finishes a rule: it strips the slash that stands for directories and
// prepares matching. // exclude.c:add_rule
func newRule(pattern string, f flags) *rule {
	if len(pattern) > 1 && strings.HasSuffix(pattern, "/") {
		pattern = pattern[:len(pattern)-1]
		f |= dirOnly
	}
	return &rule{flags: f, pattern: pattern, match: newMatcher(pattern)}
}

// verdict is what the rule says about a name that it matches.
func (r *rule) verdict() Verdict {
	if r.flags&include != 0 {
		return Include
	}
	return Exclude
}

// concerns reports whether the rule speaks to side. Without a side of its own
// it speaks to both.
func (r *rule) concerns(side Side) bool {
	switch r.flags & sides {
	case senderSide:
		return side == Sender
	case receiverSide:
		return side == Receiver
	}
	return true
}

// mergeName is the name of a dir-merge rule's file without directories.
func (r *rule) mergeName() string {
	return r.pattern[strings.LastIndexByte(r.pattern, '/')+1:]
}

// query is a question about one name.
type query struct {
	name   string // relative to the transfer root, without a leading slash
	root   string // the transfer root's absolute path; "" for "/"
	side   Side
	isDir  bool
	doomed bool // in a directory that is being deleted
	xattr  bool // name is that of an extended attribute
}

// matches reports whether the rule applies to the name of q. // exclude.c:rule_matches
func (r *rule) matches(q *query) bool {
	if q.name == "" || q.xattr != (r.flags&xattr != 0) {
		return false
	}
	hit := r.flags&negate == 0
	if r.flags&dirOnly != 0 && !q.isDir {
		return !hit
	}
	text := q.name
	switch {
	case r.base != "":
		rest, below := strings.CutPrefix(q.root+"/"+q.name, r.base+"/")
		if !below {
			return !hit
		}
		text = rest
	case r.match.lastOnly:
		text = text[strings.LastIndexByte(text, '/')+1:]
	case r.flags&absPath != 0 && q.root != "":
		text = q.root[1:] + "/" + text
	case r.match.deepFirst:
		text = "/" + text // so that a leading **/ matches at the top, too
	}
	if q.isDir && r.match.orSelf {
		text += "/" // so that a trailing /*** matches the directory
	}
	if r.match.matches(text) {
		return hit
	}
	return !hit
}
