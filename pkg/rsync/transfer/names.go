package transfer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// maxNames bounds the lines of --files-from that come from the peer, in bytes;
// nameRoom is what each takes besides its letters, here and while it is sorted in.
const (
	maxNames = 64 << 20
	nameRoom = 64
)

// SplitNames takes the text of a file for --files-from apart: lines end in LF
// or CR, with zeros in NUL bytes. Empty ones are left out; comments are not,
// for only who looks for the files knows them (io.c:forward_filesfrom_data).
func SplitNames(text string, zeros bool) []string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == 0 || !zeros && (r == '\n' || r == '\r') })
	if lines == nil {
		lines = []string{} // a list without names is not no list
	}
	return lines
}

// withoutComments leaves out the lines that a file of names has comments in.
func withoutComments(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return l[0] == '#' || l[0] == ';' })
}

// sourcesOf returns what a sending side is to send: the sources, or what
// --files-from names below the first of them.
func (s *sender) sourcesOf() ([]Source, error) {
	if s.opt.FilesFrom == "" || len(s.sources) == 0 {
		return s.sources, nil
	}
	lines := s.Names
	if s.opt.TakesNames(true) {
		var err error
		if lines, err = s.takeNames(); err != nil {
			return nil, err
		}
	} else {
		lines = withoutComments(lines)
	}
	base := &s.sources[0]
	if base.Err != nil {
		return nil, proto.Failf(proto.ExitFileSelect, "change_dir %q failed: %w", base.Name, reason(base.Err))
	}
	if base.Open == nil {
		return nil, errors.New("names from a file need a folder to start from")
	}
	return NameSources(lines, s.opt.Relative, base.Open)
}

func closeSources(sources []Source) {
	for _, s := range sources {
		if s.Root != nil {
			s.Root.Close()
		}
	}
}

// takeNames reads names from the peer: each ends in a NUL byte, and an empty
// one ends them all. Before version 31 they stand between the frames
// (io.c:start_filesfrom_forwarding).
func (c *common) takeNames() ([]string, error) {
	if c.PeerFrames && !c.Caps.NamesInFrames {
		if err := c.R.StopMux(); err != nil {
			return nil, err
		}
		defer c.R.StartMux(c.onMessage)
	}
	var lines []string
	for left := maxNames; ; {
		line := c.R.Line(0, proto.MaxPath, "name of a file to transfer")
		if err := c.R.Err(); err != nil {
			return nil, fmt.Errorf("read the names of the files to transfer: %w", err)
		}
		if line == "" {
			return lines, nil
		}
		if c.converts() {
			line = c.Charset.TextFromWire(line)
		}
		if left -= len(line) + nameRoom; left < 0 {
			return nil, proto.Failf(proto.ExitProtocol, "the names of the files to transfer, of which %d have come, take more than %d bytes", len(lines), maxNames)
		}
		lines = append(lines, line)
	}
}

// GiveNames sends the names of --files-from to the sending side, which lists
// files while it reads them: so it is done beside the reading of the list, by
// the only one who writes then. The result comes on the channel.
func (l *Link) GiveNames() <-chan error {
	done := make(chan error, 1)
	if l.Names == nil {
		done <- nil
		return done
	}
	go func() { done <- contain(l.giveNames) }()
	return done
}

func (l *Link) giveNames() error {
	framed := l.W.Framed()
	if framed && !l.Caps.NamesInFrames {
		if err := l.W.StopMux(); err != nil {
			return err
		}
		defer l.W.StartMux()
	}
	for _, name := range l.Names {
		if _, err := l.W.Write(append([]byte(name), 0)); err != nil {
			return fmt.Errorf("send the names of the files to transfer: %w", err)
		}
	}
	if _, err := l.W.Write([]byte{0}); err != nil {
		return fmt.Errorf("send the names of the files to transfer: %w", err)
	}
	return l.W.Flush()
}
