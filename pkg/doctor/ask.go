package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
)

// mostAnswer bounds what is kept of an answer, in bytes.
const mostAnswer = 16 << 10

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), mostAnswer-b.Len())])
	return len(p), nil
}

// ask runs words over the remote shell. What the shell says and how it ends is the
// answer; an error means that it could not be started here.
func (v *visit) ask(ctx context.Context, input []byte, words ...string) (client.Answer, error) {
	line, err := v.Shell.Command(v.Host, v.Options, words)
	if err != nil {
		return client.Answer{}, err
	}
	if isSSH(line) { // what would ask shall fail instead; said first, it is what counts
		line = slices.Insert(line, 1, "-o", "BatchMode=yes", "-o", fmt.Sprintf("ConnectTimeout=%d", max(1, int(v.Timeout.Seconds()))))
	}
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	cmd.Stdin = bytes.NewReader(input)
	var out, said bounded
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	a := client.Answer{Out: out.Bytes(), Err: said.Bytes(), Program: words[0]}
	var ended *exec.ExitError
	switch {
	case err != nil && ctx.Err() != nil:
		a.Status = 128 + int(syscall.SIGTERM)
		a.Err = append(a.Err, fmt.Appendf(nil, "\nnothing more has come for %s", v.Timeout)...)
	case errors.As(err, &ended):
		if a.Status = ended.ExitCode(); a.Status < 0 {
			a.Status = 128
		}
	case err != nil && cmd.ProcessState == nil:
		return a, fmt.Errorf("start the remote shell %q (--rsh): %w", line[0], err)
	}
	return a, nil
}
