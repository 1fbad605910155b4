package transfer

import (
	"fmt"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// phases is how many times the receiving side says "done" before the last.
func (c *common) phases() int {
	if c.Caps.ThreePhases {
		return 2
	}
	return 1
}

// finish sends the statistics and says goodbye (main.c:handle_stats,
// read_final_goodbye).
func (s *sender) finish() error {
	switch {
	case s.Server:
		if err := s.writeStats(s.W); err != nil {
			return err
		}
	case s.Batch != nil: // whoever reads it is a client
		if err := s.writeStats(s.Batch); err != nil {
			return err
		}
	}
	if !s.Caps.Goodbye {
		return s.drain()
	}
	if err := s.readGoodbye(); err != nil {
		return err
	}
	if !s.Caps.GoodbyeEcho {
		return s.W.Flush()
	}
	if err := s.writeDone(); err != nil {
		return err
	}
	return s.readGoodbye()
}

// drain waits for a server that knows no goodbye to close: only then has it
// put everything in its place.
func (s *sender) drain() error {
	if err := s.W.Flush(); err != nil || s.Server {
		return err
	}
	for s.R.Next(1024) != nil {
	}
	return nil
}

func (s *sender) readGoodbye() error {
	if err := s.W.Flush(); err != nil {
		return err
	}
	it, e, err := s.readItem()
	if err != nil {
		return fmt.Errorf("wait for the end of the session: %w", err)
	}
	if e != nil {
		return proto.Failf(proto.ExitProtocol, "file index %d at the end of the session", it.index)
	}
	return nil
}

func (s *sender) writeStats(to io.Writer) error {
	b := s.appendLong(nil, s.R.Total())
	b = s.appendLong(b, s.W.Total())
	b = s.appendLong(b, s.stats.TotalSize)
	if s.Caps.StatsTimes {
		b = s.appendLong(b, s.stats.ListBuild.Milliseconds())
		b = s.appendLong(b, s.stats.ListTransfer.Milliseconds())
	}
	if _, err := to.Write(b); err != nil {
		return err
	}
	return s.W.Flush()
}

func (c *common) appendLong(b []byte, v int64) []byte {
	if c.Caps.VarInts {
		return wire.AppendVarLong(b, v, 3)
	}
	return wire.AppendLongInt(b, v)
}

func (c *common) readLong() int64 {
	if c.Caps.VarInts {
		return c.R.VarLong(3)
	}
	return c.R.LongInt()
}

// finish reads the sender's statistics, if it is the server, and says goodbye
// (main.c:do_recv, handle_stats).
func (r *receiver) finish() error {
	if !r.Server {
		read, written := r.readLong(), r.readLong() // by the sender
		if r.Replay {
			r.stats.Read, r.stats.Written = written, read
		}
		r.readLong() // total size, which we know
		if r.Caps.StatsTimes {
			r.stats.ListBuild, r.stats.ListTransfer = Millis(r.readLong()), Millis(r.readLong())
		}
		if r.R.Err() != nil {
			return fmt.Errorf("read statistics: %w", r.R.Err())
		}
	}
	if !r.Caps.Goodbye {
		return r.W.Flush()
	}
	if r.Server && r.opt.Stats && r.Caps.DeleteStats && r.opt.Delete != options.DeleteNone {
		if err := r.writeDeleteStats(r.stats.DeletedKinds); err != nil {
			return err
		}
	}
	if err := r.writeDone(); err != nil {
		return err
	}
	if !r.Caps.GoodbyeEcho {
		return nil
	}
	it, e, err := r.readItem()
	if err != nil {
		return fmt.Errorf("wait for the end of the session: %w", err)
	}
	if e != nil {
		return proto.Failf(proto.ExitProtocol, "file index %d at the end of the session", it.index)
	}
	return r.writeDone()
}
