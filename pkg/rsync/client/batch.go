package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/empegsync/empegsync/pkg/rsync/batch"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// batchFile is where the changes of a run are written to. A nil one is none.
type batchFile struct {
	f *os.File
	w *bufio.Writer
}

// createBatch makes the files of --write-batch, the batch still empty.
func (c *Client) createBatch(rules *filter.Rules) (*batchFile, error) {
	name := c.Options.WriteBatch
	if name == "" {
		return nil, nil
	}
	lines, err := rules.Lines()
	if err != nil {
		return nil, proto.Fail(proto.ExitSyntax, err)
	}
	script := batch.Script(c.Program, c.Words, c.Options.Args, lines, c.Options.From0)
	by := server.Operator(c.Options)
	f, err := by.OpenFile(name+".sh", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return nil, proto.Failf(proto.ExitFileSelect, "Batch file %q open error: %w", name+".sh", reason(err))
	}
	_, err = io.WriteString(f, script)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, proto.Failf(proto.ExitFileIO, "write %q: %w", name+".sh", reason(err))
	}
	if f, err = by.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, proto.Failf(proto.ExitFileIO, "Batch file %q open error: %w", name, reason(err))
	}
	return &batchFile{f, bufio.NewWriterSize(f, writeBuffer)}, nil
}

// Write implements io.Writer.
func (b *batchFile) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	if err != nil {
		err = proto.Failf(proto.ExitFileIO, "write the batch file: %w", reason(err))
	}
	return n, err
}

// begin writes what the handshake has settled, and has what follows copied
// (io.c:start_write_batch).
func (b *batchFile) begin(l *transfer.Link, a session.Agreed, opt *options.Options, push bool) error {
	if b == nil {
		return nil
	}
	h := batch.Header{Flags: batch.FlagsOf(opt), Version: int32(a.Caps.Version)}.Append(nil)
	if a.Caps.CompatFlags {
		h = wire.AppendVarInt(h, int32(a.Compat))
	}
	if _, err := b.Write(wire.AppendInt32(h, a.Seed)); err != nil {
		return err
	}
	l.Batch = b
	if push {
		l.W.Tee(b, false)
	} else {
		l.R.Tee(b)
	}
	return nil
}

// end closes the file; err is how the run has ended.
func (b *batchFile) end(err error) error {
	if b == nil {
		return err
	}
	flushed := b.w.Flush()
	if closed := b.f.Close(); flushed == nil {
		flushed = closed
	}
	if flushed != nil && (err == nil || Partial(err)) {
		return proto.Failf(proto.ExitFileIO, "write the batch file: %w", reason(flushed))
	}
	return err
}

// Replay makes the changes of the file that --read-batch names in dest.
func (c *Client) Replay(ctx context.Context, dest transfer.Dest) (transfer.Stats, error) {
	in := os.Stdin
	if name := c.Options.ReadBatch; name != "-" {
		f, err := server.Operator(c.Options).Open(name)
		if err != nil {
			return transfer.Stats{}, proto.Failf(proto.ExitFileIO, "Batch file %q open error: %w", name, reason(err))
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() && info.Mode().Type() != os.ModeNamedPipe {
			return transfer.Stats{}, proto.Failf(proto.ExitFileIO, "Batch file %q is neither a regular file nor a FIFO", name)
		}
		in = f
	}
	local := *c
	opt := *c.Options
	local.Options = &opt
	link, rules, err := local.openReplay(in)
	if err != nil {
		return transfer.Stats{}, err
	}
	return transfer.Receive(ctx, link, &opt, dest, c.Umask, transfer.NewClientRules(rules, server.Locate(server.Operator(&opt)), ""), c.Observer)
}

// openReplay reads what stands in front of the stream of a batch, and makes the
// options fit it.
func (c *Client) openReplay(in *os.File) (l transfer.Link, rules *filter.Rules, err error) {
	if rules, err = c.rules(); err != nil {
		return l, nil, err
	}
	r, w := wire.NewReader(in, readBuffer), wire.NewWriter(io.Discard, writeBuffer)
	h, err := batch.ReadHeader(r)
	if err != nil {
		return l, nil, err
	}
	lines, err := h.Apply(c.Options)
	if err != nil {
		return l, nil, err
	}
	for _, line := range lines {
		if c.Options.Info(options.InfoMisc) > 0 {
			c.Observer.Message(proto.TagInfo, line)
		}
	}
	caps, err := proto.New(int(h.Version))
	if err != nil {
		return l, nil, err
	}
	caps = caps.OverShell()
	l, _, err = c.settle(r, w, caps, false, rules)
	if err != nil {
		return l, nil, fmt.Errorf("batch file: %w", err)
	}
	l.Replay, l.PeerFrames, l.Abort = true, false, func() { in.Close() }
	return l, rules, nil
}
