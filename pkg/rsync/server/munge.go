package server

import (
	"os"
	"path"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// CheckMunging refuses --munge-links where the folder exists that munged links
// lead to: then they are not harmless (options.c:parse_arguments).
func CheckMunging(opt *options.Options) error {
	if !opt.MungeLinks {
		return nil
	}
	return noFolder(path.Clean(transfer.MungePrefix))
}

func noFolder(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return proto.Failf(proto.ExitUnsupported, "Symlink munging is unsafe when a %s directory exists.", name)
	}
	return nil
}
