package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	proc "github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// module goes through what stands before a module: may this host come in, who
// is it, is there a place, and as whom is the module served. Only then is it
// served, here or in a worker of another user (clientserver.c:rsync_module).
// C rsync takes the place before it asks for a password; here those who merely
// talk keep nobody out.
func (c *session) module(ctx context.Context, raw *conf.Module) error {
	m := raw.Expanded(c.variable(raw))
	if ok, err := c.letIn(ctx, &m); !ok {
		return err
	}
	user, ok, err := c.login(ctx, &m)
	if !ok {
		return err
	}
	c.user = user
	readOnly := m.ReadOnly
	m = raw.Expanded(c.variable(raw)) // with the user's name
	m.ReadOnly = readOnly
	c.seen(func(v *Visit) { v.Host, v.User, v.Module = c.who.name, user, m.Name })
	switch err := c.await(ctx, &m); {
	case errors.Is(err, errGone):
		return nil
	case err != nil: // so that the answer comes in rsync's words
		return c.refuse("%s", c.noPlace(&m, err))
	}
	if c.release != nil {
		defer c.release()
	}
	return c.open(ctx, &m)
}

// letIn asks the lists of hosts. A module that is not listed does not exist
// for those who may not come in.
func (c *session) letIn(ctx context.Context, m *conf.Module) (bool, error) {
	if m.ReverseLookup {
		c.who.ask(ctx, c.resolver())
	}
	rules, err := hostRulesOf(m)
	if err != nil {
		c.log.Error("nobody is let in", "err", err)
	}
	if err == nil && rules.admits(ctx, c.resolver(), &c.who) {
		c.note("rsync allowed access on module %s from %s", m.Name, &c.who)
		return true, nil
	}
	c.note("rsync denied on module %s from %s", m.Name, &c.who)
	if !m.List {
		return false, c.refuse("Unknown module '%s'", m.Name)
	}
	return false, c.refuse("access denied to %s from %s", m.Name, &c.who)
}

// task is what a client has come to do, once its arguments are known.
type task struct {
	module *conf.Module
	args   []string
	// refusal says why it must not be done after all, "" if it may: from here
	// on errors travel in frames, when those have been agreed on.
	refusal string
	// trimLinks says that links that come in must not lead out of the module.
	trimLinks bool
	names     *os.File // the way to the module's name converter; nil: none
}

// open finds out as whom the module is to be served and whether it is there,
// hears what the client wants of it, and has that done.
func (c *session) open(ctx context.Context, m *conf.Module) error {
	who, why := c.standing(m)
	in := jailOf(m, os.Geteuid() == 0 && c.Worker != nil)
	settle(m, in)
	if why == "" && in.dir != "" && (os.Geteuid() != 0 || c.Worker == nil) {
		c.log.Error("use chroot: only root can do that; remove the line, or the \"/./\" from the path, or start the daemon as root")
		why = "chroot failed"
	}
	if why != "" {
		return c.refuse("%s", why)
	}
	h := hooks{session: c, module: m, rooted: in.dir != "" && !in.inner, early: c.early5k}
	defer func() { h.after(context.WithoutCancel(ctx), int(c.exit)) }()
	if !h.before(ctx) {
		c.exit = 255
		return c.refuse("early exec failed")
	}
	if m.EarlyExec != "" { // it may have brought the module there
		if err := c.later(); err != nil {
			return err
		}
	}
	if why := c.missing(m, in); why != "" {
		return c.refuse("%s", why)
	}
	if _, err := io.WriteString(c.w, "@RSYNCD: OK\n"); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	names, err := moduleCharset(m)
	if err != nil {
		c.log.Error(err.Error())
		return c.refuse("the module's character set is not known")
	}
	args, err := proc.ReadArgs(c.r, c.caps, names)
	if err != nil {
		return err
	}
	if !c.settle() {
		return nil // its connection is closed
	}
	c.asked = true
	c.seen(func(v *Visit) { v.Doing, v.Request = wish(args) })
	t := task{module: m, args: args, trimLinks: m.MungeSymlinks == conf.No && in.partOfAll(m)}
	if release, err := c.claim(m); err != nil {
		t.refusal = "ERROR: " + c.noPlace(m, err)
	} else {
		defer release()
		t.refusal = h.allow(ctx, args)
	}
	if m.PreXferExec != "" {
		if err := c.later(); err != nil {
			return err
		}
	}
	if t.refusal == "" && m.NameConverter != "" && m.NumericIDs != conf.Yes {
		var done func()
		if t.names, done, err = h.startConverter(ctx, args); err != nil {
			c.log.Error("name converter", "err", err)
			t.refusal = "ERROR: the name converter cannot be started"
		} else {
			defer done()
		}
	}
	defer c.throttle(ctx, m)()
	if !who.same || in.dir != "" {
		return c.hand(ctx, t, who, in)
	}
	if log := c.openLog(m); log != nil {
		defer log.Close()
	}
	early, err := c.early()
	if err != nil {
		return err
	}
	c.grow(early)
	err = c.serve(ctx, t, func() *switchError { return nil })
	if err != nil {
		c.exit = proto.ExitCode(err)
	}
	return err
}

// claim takes a place for a transfer, unless the session has one since before.
func (c *session) claim(m *conf.Module) (release func(), err error) {
	if c.release != nil {
		return func() {}, nil
	}
	return c.slots.claim(m.LockFile, m.MaxConnections)
}

// wish is what a client's arguments ask for, for those who watch.
func wish(args []string) (Doing, string) {
	const most = 200
	doing := Sending
	if slices.Contains(args, "--sender") {
		doing = Receiving
	}
	paths := ""
	if i := slices.Index(args, "."); i >= 0 {
		paths = strings.Join(args[i+1:], " ")
	}
	return doing, paths[:min(len(paths), most)]
}

// settle fills in what the module leaves to circumstance.
func settle(m *conf.Module, in jail) {
	if m.NumericIDs == conf.Unset && in.dir != "" && m.NameConverter == "" {
		m.NumericIDs = conf.Yes
	}
	if m.MungeSymlinks == conf.Unset {
		m.MungeSymlinks = conf.No
		if in.partOfAll(m) {
			m.MungeSymlinks = conf.Yes
		}
	}
}

// standing finds out as whom a module is served; why says why it is not.
func (c *session) standing(m *conf.Module) (who identity, why string) {
	who, idErr := identify(m)
	if idErr != nil {
		c.log.Error(idErr.Error())
		return who, fmt.Sprintf("invalid %s %s", idErr.what, idErr.name)
	}
	err := who.check()
	if err == nil && !who.same && c.Worker == nil {
		err = &switchError{"setuid", "the module wants another user than the daemon's, and this daemon has no workers for that"}
	}
	if err != nil {
		c.log.Error(err.Error())
		return who, err.call + " failed"
	}
	return who, ""
}

// missing says what of a module is not there, "" for nothing.
func (c *session) missing(m *conf.Module, in jail) string {
	root, err := operator(m).Root(m.Path)
	if err != nil {
		c.log.Error("cannot open the module's path", "err", err)
		return "chdir failed"
	}
	root.Close()
	if munged := path.Join("/", in.dir, transfer.MungePrefix); m.MungeSymlinks == conf.Yes && isDir(munged) {
		c.log.Error("Symlink munging is unsafe when a " + munged + " directory exists.")
		return "daemon security issue -- contact admin"
	}
	if _, err := moduleRules(m); err != nil {
		c.log.Error("the module's filter rules", "err", err)
		return "the module's filter rules cannot be read"
	}
	return ""
}

// serve does a task, as whom become makes this process. The module's folder
// and rules are the administrator's, so they are opened before.
func (c *session) serve(ctx context.Context, job task, become func() *switchError) error {
	t := &served{session: c, module: job.module, trimLinks: job.trimLinks}
	var err error
	if job.names != nil {
		if t.names, err = newConverter(job.names); err != nil {
			return err
		}
		defer t.names.close()
	}
	if t.root, err = operator(job.module).Root(job.module.Path); err == nil {
		defer t.root.Close()
		t.daemonRules, err = moduleRules(job.module)
	}
	if err != nil { // it was there a moment ago
		c.log.Error("cannot open the module", "err", err)
		job.refusal = "ERROR: the module cannot be opened"
	}
	if err := become(); err != nil {
		c.log.Error(err.Error())
		job.refusal = "ERROR: " + err.call + " failed"
	}
	return c.agree(ctx, t, job)
}

// agree makes of the client's arguments what both sides will do, and does it.
func (c *session) agree(ctx context.Context, t *served, job task) error {
	args := job.args
	refusal, _ := options.NewRefusal(refused(t.module))
	opt, optErr := options.ParseServer(args, refusal)
	if optErr != nil {
		opt = &options.Options{ClientInfo: letters(args), Sender: slices.Contains(args, "--sender")}
	}
	tame(opt, t.module)
	t.opt = opt
	var err error
	if opt.Iconv != "" { // which name it is, the module says
		if t.charset, err = moduleCharset(t.module); err != nil {
			return err // it was known when the configuration was read
		}
	}
	t.agreed, err = proc.Setup{
		Caps: c.caps, Server: true, Sender: opt.Sender, Choice: opt.ChecksumChoice, Lists: opt.Checksum,
		Letters: opt.ClientInfo, Seed: proc.Seed(opt),
		IncRecurse: opt.MayIncRecurse(opt.Sender),
		Messages:   opt.RemoveSource != options.RemoveNone,
	}.WithCompression(opt).Run(c.r, c.w)
	if err != nil {
		return err
	}
	if job.refusal != "" {
		t.end(proto.ExitUnsupported, job.refusal)
		return proto.Failf(proto.ExitUnsupported, "%s", job.refusal)
	}
	if optErr != nil {
		var oe *options.Error
		code := proto.ExitSyntax
		if errors.As(optErr, &oe) {
			code = proto.Exit(oe.ExitCode())
		}
		return t.giveUp(proto.Fail(code, optErr))
	}
	return t.run(ctx)
}

// maxThreads is how many threads a client may ask for, to compress with.
const maxThreads = 8

// tame bounds what a client may ask of this machine.
func tame(opt *options.Options, m *conf.Module) {
	opt.Verbose = min(opt.Verbose, m.MaxVerbosity)
	opt.CompressThreads = min(opt.CompressThreads, maxThreads)
}

// letters finds the capability letters in arguments that could not be parsed.
func letters(args []string) string {
	for _, a := range args {
		if a == "." {
			break // paths follow
		}
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") {
			if _, after, ok := strings.Cut(a, "e"); ok {
				if _, l, ok := strings.Cut(after, "."); ok {
					return l
				}
			}
		}
	}
	return ""
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
