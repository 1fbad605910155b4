package client

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// ListFiles reads the list of what is in places of one machine and hands each
// entry to show, in order, instead of copying (generator.c:list_file_entry).
func (c *Client) ListFiles(ctx context.Context, from []Remote, show func(*filelist.Entry)) (transfer.Stats, error) {
	cn, link, _, err := c.open(ctx, from, false)
	if err != nil {
		return transfer.Stats{}, err
	}
	stop := context.AfterFunc(ctx, cn.close)
	defer stop()
	l := &lister{Link: link, c: c, show: show, out: wire.NewIndexCoder(link.Caps.DeltaIndex), in: wire.NewIndexCoder(link.Caps.DeltaIndex)}
	err = l.run()
	if ctx.Err() != nil {
		err = proto.Fail(proto.ExitSignal, context.Cause(ctx))
	}
	l.stats.Read, l.stats.Written = l.R.Total(), l.W.Total()
	return l.stats, cn.end(err)
}

// ListLocal is [Client.ListFiles] for paths of this machine.
func (c *Client) ListLocal(ctx context.Context, from []string, show func(*filelist.Entry)) (transfer.Stats, error) {
	local := *c
	var far inside
	local.start = func(ctx context.Context) (*conn, error) {
		args := c.Options.ServerArgs(options.Peer{Capabilities: proto.ClientLetters()})
		in, err := c.startInside(ctx, append(append(args, "."), from...), &far)
		if err != nil {
			return nil, err
		}
		return local.connect(in, nil), nil
	}
	st, err := local.ListFiles(ctx, []Remote{{Shell: true}}, show)
	return st, far.join(err)
}

// lister is a receiving side that wants nothing.
type lister struct {
	transfer.Link
	c       *Client
	show    func(*filelist.Entry)
	out, in wire.IndexCoder
	stats   transfer.Stats
	ioError int32
	xferErr bool

	decoder *filelist.Decoder
	listed  int // entries so far
	echoes  int // answers to "done" that are still to come
}

func (l *lister) run() error {
	if l.PeerFrames {
		l.R.StartMux(l.message)
	}
	given := l.GiveNames()
	n, err := l.list()
	if err != nil {
		return err
	}
	if err := <-given; err != nil {
		return err
	}
	if n > 0 { // else the server has left (main.c:do_server_sender)
		if err := l.goodbye(); err != nil {
			return err
		}
	}
	return l.result()
}

// list reads and shows the list, and returns how many entries it has.
func (l *lister) list() (int, error) {
	l.decoder = filelist.NewDecoder(l.Caps, transfer.Fields(l.c.Options, l.ListSum))
	l.decoder.Rooted = l.c.Options.Relative
	l.decoder.After = transfer.AttributeReader(l.Link, l.c.Options)
	list := &filelist.List{}
	if l.Caps.IncRecurse {
		list.Start = 1
	}
	if err := l.read(list, filelist.MaxEntries); err != nil {
		return 0, err
	}
	n := list.Len()
	if l.Caps.IncRecurse && n > 0 {
		if err := l.parts(list); err != nil {
			return n, err
		}
	}
	l.c.Observer.Listed(l.listed, true)
	return n, nil
}

// read reads a list or a part of it, and shows it.
func (l *lister) read(list *filelist.List, limit int) error {
	start, so := l.R.Total(), l.listed
	if _, err := l.decoder.ReadPart(l.R, list, limit, func(n int) { l.c.Observer.Listed(so+n, false) }); err != nil {
		return proto.Fail(proto.ExitStreamIO, err)
	}
	l.stats.ListSize += l.R.Total() - start
	l.ioError |= list.IOError
	l.listed += list.Len()
	for _, e := range list.All() {
		if l.Distrust != nil {
			if err := l.Distrust(e); err != nil {
				return err
			}
		}
	}
	list.Sort(l.Caps.DirsSortLast)
	if list.Parent != nil {
		l.show(list.Parent)
	}
	for _, e := range list.All() {
		if e.Mark&filelist.MarkDropped != 0 {
			continue
		}
		l.stats.Count(e)
		// A folder is shown ahead of what is in it.
		if !l.Caps.IncRecurse || !e.IsDir() || e.Path() == "." {
			l.show(e)
		}
	}
	return nil
}

// parts reads the parts of a list that comes folder by folder, and is done with
// each when the next one has come (rsync.c:read_ndx_and_attrs).
func (l *lister) parts(list *filelist.List) error {
	var folders filelist.Folders
	for {
		if err := folders.Announce(list); err != nil {
			return proto.Fail(proto.ExitProtocol, err)
		}
		index, err := l.index()
		for ; err == nil && index == proto.IndexDone && l.echoes > 0; l.echoes-- {
			index, err = l.index()
		}
		switch {
		case err != nil:
			return err
		case index == proto.IndexListEnd:
			return nil
		case index > proto.IndexListEnd:
			return l.unasked(index)
		}
		parent, err := folders.Take(index)
		if err != nil {
			return proto.Fail(proto.ExitProtocol, err)
		}
		limit := min(filelist.MaxEntries, math.MaxInt32/2-int(list.End()))
		list = &filelist.List{Start: list.End() + 1, Parent: parent}
		if err := l.read(list, limit); err != nil {
			return err
		}
		if err := l.done(); err != nil {
			return err
		}
		l.echoes++
	}
}

// goodbye goes through the phases of a transfer of nothing.
func (l *lister) goodbye() error {
	phases := 2
	if l.Caps.ThreePhases {
		phases = 3
	}
	for range phases {
		if err := l.exchange(); err != nil {
			return err
		}
	}
	for range 3 { // what the sender has read and written, and the total size
		l.long()
	}
	if l.Caps.StatsTimes {
		l.stats.ListBuild = l.millis()
		l.stats.ListTransfer = l.millis()
	}
	if l.R.Err() != nil {
		return fmt.Errorf("read statistics: %w", l.R.Err())
	}
	if !l.Caps.Goodbye {
		return l.W.Flush()
	}
	if !l.Caps.GoodbyeEcho {
		return l.done()
	}
	if err := l.exchange(); err != nil {
		return err
	}
	return l.done()
}

func (l *lister) long() int64 {
	if l.Caps.VarInts {
		return l.R.VarLong(3)
	}
	return l.R.LongInt()
}

// done writes a bare index.
func (l *lister) done() error {
	if _, err := l.W.Write(l.out.Append(nil, proto.IndexDone)); err != nil {
		return err
	}
	return l.W.Flush()
}

// exchange says "done" and waits for the other side to say so, too.
func (l *lister) exchange() error {
	if err := l.done(); err != nil {
		return err
	}
	for l.echoes++; l.echoes > 0; l.echoes-- {
		index, err := l.index()
		if err != nil {
			return err
		}
		if index != proto.IndexDone {
			return l.unasked(index)
		}
	}
	return nil
}

func (l *lister) index() (int32, error) {
	index := l.in.Read(l.R)
	if l.R.Err() != nil {
		return 0, fmt.Errorf("read file index: %w", l.R.Err())
	}
	return index, nil
}

func (l *lister) unasked(index int32) error {
	return proto.Failf(proto.ExitProtocol, "the other side sends file %d, which was not asked for", index)
}

// message handles the frames from the server that are not data.
func (l *lister) message(tag proto.Tag, payload []byte) error {
	number := int32(0)
	if len(payload) == 4 {
		number = int32(payload[0])
	}
	switch tag {
	case proto.TagIOError:
		l.ioError |= number & (proto.IOErrGeneral | proto.IOErrVanished)
	case proto.TagErrorExit:
		code := proto.Exit(number)
		if len(payload) != 4 {
			code = proto.ExitStreamIO
		}
		return proto.Failf(code, "the peer stopped: %w (code %d)", code, int(code))
	case proto.TagErrorXfer:
		l.xferErr = true
		l.c.Observer.Message(tag, strings.TrimRight(string(payload), "\n"))
	case proto.TagInfo, proto.TagError, proto.TagWarning, proto.TagErrorSocket, proto.TagClient, proto.TagErrorUTF8:
		l.c.Observer.Message(tag, strings.TrimRight(string(payload), "\n"))
	}
	return nil
}

// result is the error that a list ends with that could not be complete.
func (l *lister) result() error {
	switch {
	case l.ioError&proto.IOErrGeneral != 0 || l.xferErr:
		return proto.Fail(proto.ExitPartial, proto.ExitPartial)
	case l.ioError&proto.IOErrVanished != 0:
		return proto.Fail(proto.ExitVanished, proto.ExitVanished)
	}
	return nil
}

// ListLine writes an entry as --list-only shows it: mode, size, time, name.
// level is that of -h; links adds the targets of symbolic links
// (generator.c:list_file_entry).
func ListLine(e *filelist.Entry, level int, links bool, zone *time.Location) string {
	width := 14
	if level < 0 {
		width = 11
	}
	name := Escape(e.Path())
	if e.IsLink() && links {
		name += " -> " + Escape(e.Target())
	}
	return fmt.Sprintf("%s %*s %s %s", Permissions(e.Mode), width, Number(e.Size, level),
		time.Unix(e.Mtime, 0).In(zone).Format("2006/01/02 15:04:05"), name)
}

// Permissions writes a mode as ls does (lib/permstring.c).
func Permissions(mode uint32) string {
	b := []byte("?rwxrwxrwx")
	for i := range 9 {
		if mode&(0o400>>i) == 0 {
			b[i+1] = '-'
		}
	}
	for i, c := range "sst" {
		if mode&(0o4000>>i) == 0 {
			continue
		}
		at := 3 * (i + 1)
		if b[at] == 'x' {
			b[at] = byte(c)
		} else {
			b[at] = byte(c) - 'a' + 'A'
		}
	}
	b[0] = map[uint32]byte{
		filelist.ModeFile: '-', filelist.ModeDir: 'd', filelist.ModeLink: 'l', filelist.ModeBlock: 'b',
		filelist.ModeChar: 'c', filelist.ModeFifo: 'p', filelist.ModeSocket: 's',
	}[mode&filelist.ModeType]
	if b[0] == 0 {
		b[0] = '?'
	}
	return string(b)
}

// millis reads a duration of the statistics.
func (l *lister) millis() time.Duration { return transfer.Millis(l.long()) }
