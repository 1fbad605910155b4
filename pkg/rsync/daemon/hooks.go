package daemon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

const (
	// maxEarlyInput bounds what a client may hand to "early exec", and
	// maxHookOutput what it sees of "pre-xfer exec", in bytes.
	maxEarlyInput = 5 * 1024
	maxHookOutput = 4 * 1024
	// hookDelay is how long the output of a command that has ended, or has been
	// killed, may stay open.
	hookDelay = time.Second
)

// hooks runs the commands that a module has for the beginning and the end of a
// session, as the daemon's user (clientserver.c:rsync_module).
type hooks struct {
	*session
	module *conf.Module
	rooted bool   // the module is all that its process will see
	early  []byte // standard input of the first
}

// run runs one command, "" for none, with what is known as RSYNC_ variables.
// The status is the one of waitpid; output gets at most maxHookOutput bytes of
// what it says.
func (h hooks) run(ctx context.Context, command string, more []string, in io.Reader, output *bytes.Buffer) (status int, err error) {
	if _, off := os.LookupEnv("RSYNC_NO_XFER_EXEC"); command == "" || off {
		return 0, nil
	}
	cmd, err := h.command(ctx, command, more)
	if err != nil {
		return 0, err
	}
	cmd.Stdin = in
	if output != nil {
		cmd.Stdout = &clipped{output}
	}
	err = cmd.Run()
	var ee *exec.ExitError
	switch {
	case errors.As(err, &ee) && ee.Exited():
		return ee.ExitCode() << 8, nil
	case errors.As(err, &ee):
		return 1, nil // a signal
	case errors.Is(err, exec.ErrWaitDelay):
		return 0, nil // it has ended well; what it has left behind has its output, too
	case err != nil:
		return 0, fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	return 0, nil
}

// command prepares a command for the shell.
func (h hooks) command(ctx context.Context, command string, more []string) (*exec.Cmd, error) {
	text, err := h.expand(command)
	if err != nil {
		return nil, err
	}
	shell := cmp.Or(os.Getenv("RSYNC_SHELL"), "/bin/sh")
	cmd := exec.CommandContext(ctx, shell, "-c", text)
	cmd.Dir, cmd.WaitDelay = "/", hookDelay
	cmd.Env = append(h.env(), more...)
	return cmd, nil
}

// clipped keeps the start of what is written to it.
type clipped struct{ to *bytes.Buffer }

func (c *clipped) Write(p []byte) (int, error) {
	c.to.Write(p[:max(0, min(len(p), maxHookOutput-c.to.Len()))])
	return len(p), nil
}

// env is the daemon's environment with what the session adds to it.
func (h hooks) env() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RSYNC_") {
			env = append(env, v)
		}
	}
	value := h.variable(h.module)
	for _, name := range []string{"RSYNC_MODULE_NAME", "RSYNC_MODULE_PATH", "RSYNC_HOST_ADDR", "RSYNC_HOST_NAME", "RSYNC_USER_NAME"} {
		v, _ := value(name)
		env = append(env, name+"="+v)
	}
	return append(env, "RSYNC_PID="+strconv.FormatUint(h.number, 10))
}

// request is what only a command before the transfer learns.
func (h hooks) request(args []string) []string {
	env := []string{"RSYNC_ARG0=rsyncd"}
	var paths []string
	options := true
	for i, a := range args {
		if !options {
			paths = append(paths, a)
			if rest, ok := cutModule(h.module.Name, strings.TrimLeft(a, "/")); ok {
				a = cmp.Or(rest, ".")
				if h.rooted {
					a = "/" + rest
				}
			}
		} else if a == "." {
			options = false
		}
		env = append(env, fmt.Sprintf("RSYNC_ARG%d=%s", i+1, a))
	}
	return append(env, "RSYNC_REQUEST="+strings.Join(paths, " "))
}

// shellActive are the characters that some shell might do something with. They
// are refused, not quoted: nobody knows how many shells a command passes.
const shellActive = "'\"`$\\;&|<>()*?[]#!~{}"

// expand puts values into a command. Those of a session must be harmless.
// // loadparm.c:expand_vars
func (h hooks) expand(command string) (string, error) {
	value := h.variable(h.module)
	var bad string
	text := conf.Expand(command, func(name string) (string, bool) {
		v, ok := value(name)
		if !ok {
			return os.LookupEnv(name)
		}
		if strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(shellActive, r) }) {
			bad = name
		}
		return v, true
	})
	if bad != "" {
		return "", fmt.Errorf("refusing to run shell hook: %%%s%% holds a shell metacharacter", bad)
	}
	return text, nil
}

// before runs "early exec"; false if the session must end.
func (h hooks) before(ctx context.Context) bool {
	status, err := h.run(ctx, h.module.EarlyExec, []string{"RSYNC_REQUEST=(NONE)"}, bytes.NewReader(h.early), nil)
	h.failed("early exec", status, err)
	return status == 0 && err == nil
}

// allow runs "pre-xfer exec" and returns why the transfer must not be, "" if
// it may.
func (h hooks) allow(ctx context.Context, args []string) string {
	var said bytes.Buffer
	status, err := h.run(ctx, h.module.PreXferExec, h.request(args), nil, &said)
	h.failed("pre-xfer exec", status, err)
	switch text := strings.TrimRight(said.String(), "\n"); {
	case err != nil:
		return "pre-xfer exec failed"
	case status == 0:
		return ""
	case text == "":
		return fmt.Sprintf("pre-xfer exec returned failure (%d)", status)
	default:
		return fmt.Sprintf("pre-xfer exec returned failure (%d):\n%s", status, text)
	}
}

// after runs "post-xfer exec" with the session's exit code
// (clientserver.c:rsync_module).
func (h hooks) after(ctx context.Context, exit int) {
	raw := exit << 8
	if exit < 0 {
		raw = h.session.raw
	}
	more := []string{"RSYNC_EXIT_STATUS=" + strconv.Itoa(exit), "RSYNC_RAW_STATUS=" + strconv.Itoa(raw)}
	status, err := h.run(ctx, h.module.PostXferExec, more, nil, nil)
	h.failed("post-xfer exec", status, err)
}

func (h hooks) failed(what string, status int, err error) {
	if err != nil {
		h.note("%v", err)
	} else if status != 0 {
		h.log.Warn(what+" has failed", "status", status)
	}
}

// later gives the client its time again after a command that took some.
func (c *session) later() error {
	c.until = time.Now().Add(c.patience())
	return c.conn.SetDeadline(c.until)
}
