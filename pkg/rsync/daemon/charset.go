package daemon

import (
	"fmt"
	"os"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// moduleCharset is the character set of a module's names, nil where it does not
// say: then names are never converted.
func moduleCharset(m *conf.Module) (*charset.Conversion, error) {
	if m.Charset == "" {
		return nil, nil
	}
	c, err := charset.OpenIn(os.LookupEnv, m.Charset)
	if err != nil {
		return nil, fmt.Errorf("charset: %w", err)
	}
	return c, nil
}

// refused are the patterns of "refuse options": a module that does not name its
// character set refuses --iconv (clientserver.c:set_refuse_options).
func refused(m *conf.Module) []string {
	if m.Charset != "" {
		return m.RefuseOptions
	}
	return append(append([]string(nil), m.RefuseOptions...), "iconv")
}
