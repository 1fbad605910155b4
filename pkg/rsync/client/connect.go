package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// buffer sizes of a connection in bytes
const (
	readBuffer  = wire.ReadBuffer
	writeBuffer = wire.WriteBuffer
)

// conn is an open session's connection.
type conn struct {
	net.Conn
	r     *wire.Reader
	w     *wire.Writer
	close func()
	// process is what the connection leads to, nil for the network.
	process *process
	batch   *batchFile
}

// dial connects to a daemon: through the network, a program, or a remote
// shell.
func (c *Client) dial(ctx context.Context, r Remote) (*conn, error) {
	var (
		nc  net.Conn
		p   *process
		err error
	)
	switch {
	case c.Dial != nil:
		nc, err = c.Dial(ctx, r, c.Options)
	case c.Options.Shell != "":
		p, err = c.Shell.dialDaemon(ctx, r, c.Options)
	case c.Shell.Connect != "":
		p, err = c.Shell.dialProgram(ctx, r)
	default:
		if c.Debug != nil && c.Options.ShowsConnection() {
			c.Debug(fmt.Sprintf("opening tcp connection to %s port %d", r.Host, r.port()))
		}
		nc, err = c.dialNetwork(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return c.connect(nc, p), nil
}

// dialNetwork connects to a daemon, through a proxy if there is one.
func (c *Client) dialNetwork(ctx context.Context, r Remote) (net.Conn, error) {
	warn := func(err error) { c.Observer.Message(proto.TagWarning, err.Error()) }
	if c.Proxy == "" {
		return dialAddress(ctx, r.Address(), c.Options, warn)
	}
	login, address, err := splitProxy(c.Proxy)
	if err != nil {
		return nil, err
	}
	conn, err := dialAddress(ctx, address, c.Options, warn)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err = connectProxy(conn, login, r.Address())
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// connect puts buffers around a connection, or around a process's.
func (c *Client) connect(nc net.Conn, p *process) *conn {
	if p != nil {
		nc = p
	}
	nc = session.LimitRate(nc, c.Options.BwLimit)
	if c.Options.Timeout > 0 {
		nc = session.IdleTimeout(nc, time.Duration(c.Options.Timeout)*time.Second)
	}
	var once sync.Once
	return &conn{
		Conn: nc, r: wire.NewReader(nc, readBuffer), w: wire.NewWriter(nc, writeBuffer), process: p,
		close: func() { once.Do(func() { nc.Close() }) },
	}
}

// end closes the connection; behind a process it waits for that and says how
// it ended.
func (cn *conn) end(err error) error {
	cn.close()
	if cn.process == nil {
		return err
	}
	return cn.process.ended(err)
}

// lastWordsWait is how long a peer's last messages are waited for.
const lastWordsWait = 5 * time.Second

// lastWords reads what a peer that no longer listens has said before it went,
// and returns that if it tells more than err does. It may close the connection.
func (cn *conn) lastWords(err error) error {
	if !proto.IsGone(err) {
		return err
	}
	defer time.AfterFunc(lastWordsWait, cn.close).Stop()
	cn.r.Resume()
	for cn.r.Next(readBuffer) != nil {
	}
	var f *proto.Failure
	if errors.As(cn.r.Err(), &f) {
		return f
	}
	return err
}

// startShell starts the server over a remote shell.
func (c *Client) startShell(ctx context.Context, places []Remote, push bool) (*conn, error) {
	names, err := server.Charset(c.Options)
	if err != nil {
		return nil, err
	}
	open, secluded := c.arguments(proto.ShowsLetters(c.version()), places, push)
	words, err := c.Shell.command(places[0], c.Options, open)
	if err != nil {
		return nil, err
	}
	if c.Started != nil {
		c.Started(words)
	}
	p, err := c.Shell.start(ctx, words)
	if err != nil {
		return nil, err
	}
	p.program = c.Options.RsyncPath
	cn := c.connect(nil, p)
	if err := session.SendSecluded(cn.w, secluded, names); err != nil {
		return nil, cn.end(err)
	}
	return cn, nil
}
