package filter

import "fmt"

// cvsDefaults are the names that CVS ignores by itself, as rsync's manual lists
// them under --cvs-exclude.
const cvsDefaults = "RCS SCCS CVS CVS.adm RCSLOG cvslog.* tags TAGS .make.state " +
	".nse_depinfo *~ #* .#* ,* _$* *$ *.old *.bak *.BAK *.orig *.rej .del-* " +
	"*.a *.olb *.o *.obj *.so *.exe *.Z *.elc *.ln core .svn/ .git/ .hg/ .bzr/"

// cvsRules are the rules in whose place a "-C" stands: the defaults, which are
// perishable, then the user's own. // exclude.c:get_cvs_excludes
func cvsRules(o *Options, side flags) ([]*rule, error) {
	b := &builder{options: o}
	style := style{flags: noPrefixes | wordSplit | cvs | side | perishable}
	if o.lastingCVS {
		style.flags &^= perishable
	}
	if err := b.text(cvsDefaults, style); err != nil {
		return nil, fmt.Errorf("cvs defaults: %w", err)
	}
	style.flags &^= perishable
	for _, text := range o.CVSIgnore {
		if err := b.text(text, style); err != nil {
			return nil, fmt.Errorf("cvs ignore list: %w", err)
		}
	}
	return b.rules, nil
}

// AddCVS adds what --cvs-exclude stands for behind the rules that are there:
// each directory's .cvsignore, then the CVS rules. On the client this comes
// after ForPeer has been asked, since the option itself tells the peer.
// // exclude.c:send_filter_list, recv_filter_list
func (r *Rules) AddCVS() error {
	if err := r.Add(":C"); err != nil {
		return err
	}
	return r.Add("-C")
}
