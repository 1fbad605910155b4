package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/chmod"
	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/sockopts"
)

// Check looks for what a configuration asks for and this daemon cannot do, so
// that it does not start rather than serve something else than was meant.
func (s *Server) Check(cfg *conf.Config) error {
	errs := []error{checkProxy(cfg.Global), checkSocket(cfg)}
	for i := range cfg.Modules {
		m := &cfg.Modules[i]
		if err := checkModule(m); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: module [%s]: %w", m.File, m.Line, m.Name, err))
		}
		if _, unmatched := options.NewRefusal(m.RefuseOptions); len(unmatched) > 0 {
			s.Log.Warn("refuse options: no option of rsync fits", "patterns", fmt.Sprint(unmatched), "module", m.Name)
		}
	}
	return errors.Join(errs...)
}

// checkSocket tries the socket options on a socket of its own.
func checkSocket(cfg *conf.Config) error {
	if cfg.Global.SocketOptions == "" {
		return nil
	}
	options, err := sockopts.Parse(cfg.Global.SocketOptions)
	if err == nil {
		lc := net.ListenConfig{Control: sockopts.Control(options, nil)}
		var ln net.Listener
		if ln, err = lc.Listen(context.Background(), "tcp", "localhost:0"); err == nil {
			return ln.Close()
		}
	}
	return fmt.Errorf("%s: socket options: %w", cfg.Places["socket options"], err)
}

func checkModule(m *conf.Module) error {
	if err := new(compress.SkipRules).AddPatterns(m.DontCompress); err != nil {
		return fmt.Errorf("dont compress: %w", err)
	}
	_, rulesErr := moduleRules(m)
	_, hostsErr := hostRulesOf(m)
	_, charsetErr := moduleCharset(m)
	return errors.Join(rulesErr, hostsErr, charsetErr, checkAuth(m), checkChmod("incoming", m.IncomingChmod), checkChmod("outgoing", m.OutgoingChmod))
}

// checkAuth looks at what a module says about passwords.
func checkAuth(m *conf.Module) error {
	for _, rule := range m.Auths() {
		if _, opt, has := strings.Cut(rule, ":"); has && !slices.Contains([]string{"deny", "ro", "rw"}, strings.ToLower(opt)) {
			return fmt.Errorf("auth users: %q: behind the colon there can be deny, ro or rw", rule)
		}
	}
	if m.AuthDigest != "" && !slices.Contains(strings.Fields(checksum.AuthList), strings.ToLower(m.AuthDigest)) {
		return fmt.Errorf("auth digest: %q is not one of %s", m.AuthDigest, checksum.AuthList)
	}
	return nil
}

func checkChmod(way, text string) error {
	if text == "" {
		return nil
	}
	if _, err := chmod.Parse(text, 0); err != nil {
		return fmt.Errorf("%s chmod: %w", way, err)
	}
	return nil
}
