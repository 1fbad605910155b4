package session

import (
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// The rules that --cvs-exclude stands for: each folder's .cvsignore, and what
// CVS ignores everywhere.
const (
	cvsFolders = ":C"
	cvsAlways  = "-C"
)

// AddCVS adds to a server's rules, once the client's have come, what
// --cvs-exclude stands for: a sending server has rules of its own, a receiving
// one is sent them, except for what old versions cannot say
// (exclude.c:recv_filter_list).
func AddCVS(caps proto.Caps, opt *options.Options, rules *filter.Rules) error {
	if !opt.CVSExclude {
		return nil
	}
	return addCVS(caps, rules, opt.Sender || !caps.ModernFilters, opt.Sender)
}

// AddCVSToSend and AddCVSAfter are AddCVS for a client, which sends its rules
// in between (exclude.c:send_filter_list).
func AddCVSToSend(caps proto.Caps, opt *options.Options, push bool, rules *filter.Rules) error {
	if !opt.CVSExclude {
		return nil
	}
	return addCVS(caps, rules, push && caps.ModernFilters, push)
}

// AddCVSAfter adds what is not sent; see [AddCVSToSend].
func AddCVSAfter(caps proto.Caps, opt *options.Options, push bool, rules *filter.Rules) error {
	if !opt.CVSExclude {
		return nil
	}
	return addCVS(caps, rules, !push || !caps.ModernFilters, !push)
}

func addCVS(caps proto.Caps, rules *filter.Rules, folders, always bool) error {
	ageCVS(caps, rules)
	if folders {
		if err := rules.Add(cvsFolders); err != nil {
			return err
		}
	}
	if always {
		return rules.Add(cvsAlways)
	}
	return nil
}

// ageCVS gives the rules of "-C" the meaning that they have in a version
// (exclude.c:get_cvs_excludes).
func ageCVS(caps proto.Caps, rules *filter.Rules) {
	if !Dialect(caps).Perishable {
		rules.LastingCVS()
	}
}
