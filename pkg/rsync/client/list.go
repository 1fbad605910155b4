package client

import (
	"context"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// ListFiles reads the list of what is in places of one machine and hands each
// entry to show, in order, instead of copying.
func (c *Client) ListFiles(ctx context.Context, from []Remote, show func(*filelist.Entry)) (transfer.Stats, error) {
	opt := *c.Options
	if opt.ListOnly == options.ListNo {
		opt.ListOnly = options.ListImplied
	}
	cn, link, _, err := c.open(ctx, from, false)
	if err != nil {
		return transfer.Stats{}, err
	}
	link.Show = show
	st, err := transfer.Receive(ctx, link, &opt, transfer.Dest{}, c.Umask, nil, c.Observer)
	return st, cn.end(err)
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
