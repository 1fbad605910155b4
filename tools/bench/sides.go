package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// The peers.
const (
	cRsync  = "rsync"
	ours    = "ours"
	gokrazy = "gokrazy"
)

// pairing is who pulls from whom.
type pairing struct{ client, server string }

func (p pairing) String() string { return p.client + "<-" + p.server }

// baseline is what all others are compared with.
func baseline() pairing { return pairing{cRsync, cRsync} }

func allPairings() []pairing {
	return []pairing{baseline(), {ours, ours}, {ours, cRsync}, {cRsync, ours}, {gokrazy, gokrazy}}
}

// parsePairings reads "ours-rsync,ours-ours"; the baseline comes first anyway.
func parsePairings(text string) ([]pairing, error) {
	if text == "" {
		return allPairings(), nil
	}
	list := []pairing{baseline()}
	known := []string{cRsync, ours, gokrazy}
	for t := range strings.SplitSeq(text, ",") {
		c, s, _ := strings.Cut(t, "-")
		if !slices.Contains(known, c) || !slices.Contains(known, s) {
			return nil, fmt.Errorf("-pairs: %q is not CLIENT-SERVER, each of %s", t, strings.Join(known, ", "))
		}
		if p := (pairing{c, s}); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list, nil
}

// programs are where the peers are.
type programs struct {
	rsync, ours, gokrazy string
	profile              string // folder for profiles of ours; "" for none
}

// errUnsupported is a job that a peer does not do yet.
var errUnsupported = errors.New("not supported yet")

const moduleName = "mod"

// serve starts a daemon for src and returns it with its address.
func (p *programs) serve(ctx context.Context, who, src, tmp, label string) (*process, string, error) {
	var cmd *exec.Cmd
	addr := ""
	switch who {
	case ours:
		args := append([]string{"peer", "serve"}, p.profiles(label, "server")...)
		cmd = exec.CommandContext(ctx, p.ours, append(args, "-module", moduleName+"="+src)...)
	case cRsync, gokrazy:
		port, release, err := ownport.Reserve()
		if err != nil {
			return nil, "", err
		}
		defer release()
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if cmd, err = p.foreign(ctx, who, src, tmp, port); err != nil {
			return nil, "", err
		}
	}
	s, err := start(ctx, cmd)
	if err != nil {
		return nil, "", err
	}
	if addr, err = s.listening(ctx, addr); err != nil {
		s.end()
		return nil, "", err
	}
	return s, addr, nil
}

// foreign is the command of another's daemon.
func (p *programs) foreign(ctx context.Context, who, src, tmp string, port int) (*exec.Cmd, error) {
	if who == gokrazy {
		cmd := exec.CommandContext(ctx, p.gokrazy, "--daemon", "--gokr.listen=127.0.0.1:"+strconv.Itoa(port),
			"--gokr.modulemap="+moduleName+"="+src)
		cmd.Env = append(os.Environ(), "HOME="+tmp, "XDG_CONFIG_HOME="+tmp) // where it looks for a configuration
		if os.Geteuid() == 0 {
			// As root it would put a second process into a namespace of its
			// own, which does not end with the first.
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		return cmd, nil
	}
	name := filepath.Join(tmp, "rsyncd.conf")
	text := "log file = /dev/null\n" + daemonConf(moduleName, src)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, p.rsync, "--daemon", "--no-detach", "--address=127.0.0.1",
		"--port="+strconv.Itoa(port), "--config="+name), nil
}

// listening waits until a server can be reached. One without an address says
// it in its first line.
func (p *process) listening(ctx context.Context, addr string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, errors.New("it does not listen"))
	defer cancel()
	for {
		if addr == "" {
			if line, _, ok := strings.Cut(p.out.String(), "\n"); ok {
				return line, nil
			}
		} else if c, err := net.Dial("tcp", addr); err == nil {
			return addr, c.Close()
		}
		err := pause(ctx)
		if _, perr := peakMemory(p.cmd.Process.Pid); perr != nil && err == nil {
			err = perr
		}
		if err != nil {
			return "", fmt.Errorf("start the server %s: %w: %s", p.cmd.Path, err, tail(p.err.String()))
		}
	}
}

// tail is the end of what a process has said.
func tail(s string) string {
	s = strings.TrimSpace(s)
	return s[max(len(s)-500, 0):]
}

// profiles are our flags for writing profiles of this run.
func (p *programs) profiles(label, side string) []string {
	if p.profile == "" || label == "" {
		return nil
	}
	name := filepath.Join(p.profile, label+"."+side)
	return []string{"-cpuprofile", name + ".cpu", "-memprofile", name + ".mem"}
}

// pull starts a client that pulls the module at addr into dst.
func (p *programs) pull(ctx context.Context, who, addr, dst string, options []string, label string) *exec.Cmd {
	last := []string{"rsync://" + addr + "/" + moduleName + "/", dst + "/"}
	var cmd *exec.Cmd
	switch who {
	case ours:
		args := append([]string{"peer", "pull"}, p.profiles(label, "client")...)
		args = append(append(args, "--"), options...)
		cmd = exec.CommandContext(ctx, p.ours, append(args, last...)...)
	case cRsync:
		cmd = exec.CommandContext(ctx, p.rsync, slices.Concat(options, []string{"--stats"}, last)...)
	default:
		cmd = exec.CommandContext(ctx, p.gokrazy, slices.Concat([]string{"--gokr.dont_restrict"}, options, last)...)
	}
	return cmd
}

// told is what a client says of the bytes it has read and its own peak of
// memory, 0 for what it does not say.
func told(who, out string) (account, error) {
	switch who {
	case ours:
		var a account
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			return a, fmt.Errorf("our client's account %q: %w", tail(out), err)
		}
		return a, nil
	case cRsync:
		m := regexp.MustCompile(`(?m)^Total bytes received: ([0-9,]+)$`).FindStringSubmatch(out)
		if m == nil {
			return account{}, fmt.Errorf("rsync --stats does not say what was received: %q", tail(out))
		}
		n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
		return account{Read: n}, err
	}
	return account{}, nil
}

// failed makes an error of how a client has ended.
func failed(pr pairing, err error, said string) error {
	var ee *exec.ExitError
	if errors.As(err, &ee) && ee.ExitCode() == int(proto.ExitUnsupported) {
		return errUnsupported
	}
	// A client may lose the connection before it has read why, and
	// gokrazy/rsync has one exit code for everything.
	if pr.server == ours && strings.Contains(said, "is not supported yet") ||
		pr.client == gokrazy && strings.Contains(said, "unknown option") {
		return errUnsupported
	}
	return fmt.Errorf("%s: %w: %s", pr, err, tail(said))
}
