package daemon_test

import (
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// A module whose character set nobody knows is not served.
func TestCheckCharset(t *testing.T) {
	for name, good := range map[string]bool{"utf8": true, "": true, "ISO_8859-1": true, "utf-16": false, "nix": false} {
		cfg, err := conf.Parse("f", []byte("[m]\npath = /\ncharset = "+name+"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = (&daemon.Server{Log: logTo(&buffer{})}).Check(cfg)
		if (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), "f:1: module [m]: charset: ") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
