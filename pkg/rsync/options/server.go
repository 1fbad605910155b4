package options

import (
	"slices"
	"strings"
)

// Peer is what ServerArgs must know about the connection.
type Peer struct {
	// Push: this side sends, the server receives.
	Push bool
	// Capabilities are the letters this program can stand for, in rsync's
	// order, e.g. "iLsfxCIvu"; "" where the protocol is too old for them
	// (below 30), so that none go out. "i" is left out where the options rule
	// incremental recursion out. // options.c:maybe_add_e_option
	Capabilities string
}

// ServerArgs gives the argument list for the server's side, "--server" first,
// without the closing "." and the paths. It is what rsync 3.5.0 sends for the
// same options, in the same order. Values are as they are meant: a shell may
// need them quoted.
// // options.c:server_options
func (o *Options) ServerArgs(p Peer) []string {
	args := []string{"--server"}
	if !p.Push {
		args = append(args, "--sender")
	}
	var sends []send
	for _, r := range table() {
		sends = append(sends, r.sends...)
	}
	slices.SortStableFunc(sends, func(a, b send) int { return a.order - b.order })
	bundle := "-"
	i := 0
	for ; i < len(sends) && sends[i].order < bundleEnd; i++ {
		bundle += sends[i].text(o, p)
	}
	if bundle += o.capabilities(p); bundle != "-" {
		args = append(args, bundle)
	}
	for _, s := range sends[i:] {
		if s.args != nil {
			args = append(args, s.args(o, p)...)
		} else if arg := s.text(o, p); arg != "" {
			args = append(args, arg)
		}
	}
	return append(args, o.RemoteOptions...)
}

// capabilities gives the "e.iLs..." that ends the bundle.
func (o *Options) capabilities(p Peer) string {
	if p.Capabilities == "" {
		return ""
	}
	letters := p.Capabilities
	if !o.MayIncRecurse(p.Push) {
		letters = strings.ReplaceAll(letters, "i", "")
	}
	return "e." + letters
}

// MayIncRecurse says whether this side, which is or is not the sender, can do
// with a file list that comes in parts. A receiver that deletes before or after
// needs the whole of it at once.
// // compat.c:set_allow_inc_recurse
func (o *Options) MayIncRecurse(sender bool) bool {
	if !o.Recurse || o.IncRecurse == No {
		return false
	}
	if sender && (o.Relative || o.FilesFrom != "") {
		return false // folders on the way would have parts of their own
	}
	if o.WriteBatch != "" && o.HardLinks {
		return false // whoever reads it has to want the same names as we, which parts make uncertain
	}
	return sender || o.Delete != DeleteBefore && o.Delete != DeleteAfter && !o.PruneEmptyDirs && !o.DelayUpdates
}
