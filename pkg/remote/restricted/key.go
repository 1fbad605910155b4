package restricted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/subtree"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Dir is a directory that a key gives. Name is what clients call it; "" if the
// key has this one only.
type Dir struct {
	Name, Path string

	path string // without links
	tree *subtree.Tree
	lock *os.File

	writable bool // its lock and its quota are settled
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// ParseDirs reads the directories of a command line: one DIR, or NAME=DIR for
// each.
func ParseDirs(args []string) ([]Dir, error) {
	var dirs []Dir
	for _, arg := range args {
		name, p, named := strings.Cut(arg, "=")
		if !named || !nameForm.MatchString(name) {
			name, p = "", arg
		}
		if p == "" {
			return nil, fmt.Errorf("%q names no directory", arg)
		}
		if slices.ContainsFunc(dirs, func(d Dir) bool { return d.Name == name }) {
			return nil, fmt.Errorf("%q: a key with several directories needs NAME=DIR for each, and each name once", arg)
		}
		dirs = append(dirs, Dir{Name: name, Path: p})
	}
	switch {
	case len(dirs) == 0:
		return nil, errors.New("name the directory that the key is for")
	case len(dirs) > 1 && slices.ContainsFunc(dirs, func(d Dir) bool { return d.Name == "" }):
		return nil, errors.New("a key with several directories needs NAME=DIR for each")
	}
	return dirs, nil
}

// Key is an ssh key's rights, ready for a session.
type Key struct {
	policy Policy
	dirs   []*Dir

	// Now tells the time, for the names of versions; nil: the system's.
	Now func() time.Time
	// Umask is for what is made without permissions of its own.
	Umask uint32
	// Err gets what cannot be told through the protocol.
	Err io.Writer
}

// Open opens a key's directories. The paths are the administrator's: links in
// them are followed.
func Open(policy Policy, dirs []Dir) (*Key, error) {
	if err := policy.Check(); err != nil {
		return nil, err
	}
	k := &Key{policy: policy, Err: io.Discard}
	for _, d := range dirs {
		real, err := filepath.EvalSymlinks(d.Path)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err == nil {
			var root *rootfs.Root
			if root, err = rootfs.Open(real); err == nil {
				d.path, d.tree = real, &subtree.Tree{Root: root}
				k.dirs = append(k.dirs, &d)
			}
		}
		if err != nil {
			k.Close()
			return nil, fmt.Errorf("open the key's directory: %w", err)
		}
	}
	if policy.Munge {
		if info, err := os.Stat(transfer.MungePrefix); err == nil && info.IsDir() {
			k.Close()
			return nil, fmt.Errorf("-munge is useless while there is a folder %s: links would lead into it", transfer.MungePrefix)
		}
	}
	return k, nil
}

// Close closes the directories and gives up their locks.
func (k *Key) Close() {
	for _, d := range k.dirs {
		d.tree.Root.Close()
		if d.lock != nil {
			d.lock.Close()
		}
	}
}

// Holds reports whether a file lies, or would lie, in one of the directories,
// where clients could reach it.
func (k *Key) Holds(file string) bool {
	dir, err := filepath.Abs(filepath.Dir(file))
	real, err2 := filepath.EvalSymlinks(dir)
	for errors.Is(err2, fs.ErrNotExist) && dir != "/" {
		dir = filepath.Dir(dir)
		real, err2 = filepath.EvalSymlinks(dir)
	}
	return err != nil || err2 != nil || slices.ContainsFunc(k.dirs, func(d *Dir) bool {
		return d.path == "/" || real == d.path || strings.HasPrefix(real, d.path+"/")
	})
}

func (k *Key) now() time.Time {
	if k.Now == nil {
		return time.Now()
	}
	return k.Now()
}

// whole reports whether the key is for all of the machine.
func (k *Key) whole() bool { return len(k.dirs) == 1 && k.dirs[0].path == "/" }

// Result is what came of a session.
type Result struct {
	Options *options.Options // nil where they made no sense
	Stats   transfer.Stats
}

// Serve does what a client has asked for, and closes the connection. The error
// maps to the code to end with; the client, or Err, has been told of it.
func (k *Key) Serve(ctx context.Context, req *Request, conn net.Conn) (Result, error) {
	words := req.Words
	opt, err := options.Parse(texts(words))
	if err == nil && opt.Incomplete {
		words, opt, err = secluded(ctx, conn, words)
	}
	if err != nil {
		conn.Close()
		fmt.Fprintf(k.Err, "rrsync: %v\n", err)
		var oe *options.Error
		if errors.As(err, &oe) {
			err = proto.Fail(proto.Exit(oe.ExitCode()), err)
		}
		return Result{}, err
	}
	p := &places{key: k, paths: words[len(words)-len(opt.Args):]}
	refusal := k.policy.judge(opt, texts(words), k.whole())
	if refusal == nil {
		opt, refusal = k.adapt(opt, texts(words))
	}
	s := &server.Session{Options: opt, Conn: conn, Places: p, Refusal: refusal, Err: k.Err, Umask: k.Umask}
	err = s.Run(ctx)
	return Result{Options: opt, Stats: s.Stats}, err
}

// secluded reads the arguments that come through the connection. No shell has
// seen them: wildcards are the server's to expand.
func secluded(ctx context.Context, conn net.Conn, words []Word) ([]Word, *options.Options, error) {
	all, err := server.SecludedWords(ctx, conn, texts(words))
	if err != nil {
		return nil, nil, err
	}
	opt, err := server.ParseWords(all)
	if err != nil {
		return nil, nil, err
	}
	var full []Word
	for _, w := range all {
		full = append(full, Word{Text: w, Pattern: w})
	}
	return full, opt, nil
}

// adapt makes of the options what the policy wants of a session.
func (k *Key) adapt(opt *options.Options, words []string) (*options.Options, error) {
	if k.policy.Append && !opt.Sender {
		more, err := options.Parse(slices.Insert(slices.Clone(words), 1, "--info=backup"))
		if err != nil {
			return opt, proto.Fail(proto.ExitSyntax, err)
		}
		opt = more
	}
	if k.policy.Munge {
		opt.MungeLinks = true
	}
	if opt.Sender {
		return opt, nil
	}
	if !k.whole() {
		opt.DropDevices = true
	}
	if k.policy.NoOverwrite {
		opt.IgnoreExisting = true
	}
	return opt, nil
}

// claim takes the lock that rrsync takes, too, so that one session at a time
// writes.
func (d *Dir) claim(must bool) error {
	f, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("open the key's directory for its lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		d.lock = f
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = refuse("another session is writing to this directory: try again later")
	case must:
		err = fmt.Errorf("lock the key's directory: %w", err)
	default:
		err = nil // some file systems have no locks
	}
	f.Close()
	return err
}
