package server

import (
	"context"
	"io"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Places says what the paths of a session stand for. Its methods are called by
// one goroutine, each at most once; what Dest and Rules return is used by the
// transfer.
type Places interface {
	// Names reads the list of --files-from that the options name.
	Names(file string, zeros bool) ([]string, error)
	// Sources opens what is to be sent; done closes it all.
	Sources(ctx context.Context, opt *options.Options) (sources []transfer.Source, done func(), err error)
	// Dest opens where files go. tell shows the client a line, now or during
	// the transfer, from any goroutine. The caller closes the Root.
	Dest(opt *options.Options, tell func(tag proto.Tag, line string)) (transfer.Dest, error)
	// Rules makes of the client's rules those of the transfer, after Sources or
	// Dest.
	Rules(client *filter.Rules) transfer.Rules
	// Log opens the file of --log-file, first of all. An error with an exit code
	// ends the session; with any other it goes on without a log.
	Log(opt *options.Options) (io.WriteCloser, error)
	// CVSIgnore returns what --cvs-exclude adds to the rules.
	CVSIgnore() []string
}

// own is all that the user of this machine may reach, whom it is opened for.
type own struct{ by rootfs.Operator }

func (o own) Names(file string, zeros bool) ([]string, error) { return ReadNames(file, zeros, o.by) }

func (own) Sources(_ context.Context, opt *options.Options) ([]transfer.Source, func(), error) {
	args := opt.Args
	if len(args) == 0 {
		args = []string{"."}
	}
	return OpenSources(args, opt)
}

func (own) Dest(opt *options.Options, tell func(proto.Tag, string)) (transfer.Dest, error) {
	dest, err := Destination(opt)
	if err != nil {
		return transfer.Dest{}, err
	}
	return OpenDest(dest, opt, func(dir string) {
		if opt.Info(options.InfoName) > 0 || strings.Contains(opt.LogFormat, "%i") {
			tell(proto.TagInfo, "created directory "+dir)
		}
	})
}

func (o own) Rules(client *filter.Rules) transfer.Rules {
	return transfer.NewClientRules(client, Locate(o.by), "")
}

func (o own) Log(opt *options.Options) (io.WriteCloser, error) { return OpenLog(opt.LogFile, o.by) }

func (o own) CVSIgnore() []string { return CVSIgnore(o.by) }

// Operator is how a side opens what its own user names, as the options say.
func Operator(opt *options.Options) rootfs.Operator {
	return rootfs.Operator{Insecure: opt.InsecureLinks, Confine: opt.ConfineRoot}
}

// Destination gives the one path that a receiving server is given.
func Destination(opt *options.Options) (string, error) {
	switch len(opt.Args) {
	case 0:
		return ".", nil
	case 1:
		return opt.Args[0], nil
	}
	return "", proto.Failf(proto.ExitSyntax, "there are %d destinations: %q", len(opt.Args), opt.Args)
}
