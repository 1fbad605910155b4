package server

import (
	"os"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Charset returns the conversion that the options ask for in the environment of
// this process, nil for none (rsync.c:setup_iconv).
func Charset(opt *options.Options) (*charset.Conversion, error) { return openCharset(opt.Iconv) }

func openCharset(name string) (*charset.Conversion, error) {
	if name == "" {
		return nil, nil
	}
	c, err := charset.OpenIn(os.LookupEnv, name)
	if err != nil {
		return nil, proto.Failf(proto.ExitUnsupported, "--iconv: %w", err)
	}
	return c, nil
}
