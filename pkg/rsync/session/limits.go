package session

import (
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// CheckOptions refuses options that the agreed version cannot follow; both
// sides do (compat.c:setup_protocol).
func CheckOptions(caps proto.Caps, opt *options.Options) error {
	if opt.PruneEmptyDirs && !caps.DirsSortLast {
		return tooOld(caps, "--prune-empty-dirs", 29)
	}
	if opt.RemoveSource != options.RemoveNone && !caps.MuxFromServer {
		return tooOld(caps, opt.RemoveSource.Option(), 23) // which cannot tell what has arrived
	}
	if caps.ItemFlags {
		return nil
	}
	switch alt := opt.Alternative.Option(); {
	case opt.Fuzzy > 0:
		return tooOld(caps, "--fuzzy", 29)
	case len(opt.AltDirs) > 0 && opt.Inplace:
		return tooOld(caps, alt+" with --inplace", 29)
	case len(opt.AltDirs) > 1:
		return tooOld(caps, "Using more than one "+alt+" option", 29)
	}
	return nil
}

func tooOld(caps proto.Caps, what string, since int) error {
	return proto.Failf(proto.ExitProtocol, "%s requires protocol %d or higher (negotiated %d).", what, since, caps.Version)
}
