package synk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// stockMark is the first field of what the script prints.
const stockMark = "synk-stock 1"

// stockLook are shell functions. look finds out about one path; tell prints it in
// fields that end with NUL: kind, sum, what stat says, target, error, path. gone
// removes what is still as expected, or moves it.
const stockLook = `
tell() { printf '%s\0%s\0%s\0%s\0%s\0%s\0' "$1" "$2" "$3" "$4" "$5" "$6"; }
look() {
	k= s= i= t= e=
	if [ -L "$1" ]; then
		k=link; t=$(readlink -- "$1" && echo .) || e='the link cannot be read'
	elif [ -f "$1" ]; then
		k=file; s=$(sha512sum <"$1" 2>/dev/null) || e='it cannot be read, or sha512sum is missing'
	elif [ -d "$1" ]; then
		k=dir; [ -r "$1" ] && [ -x "$1" ] || e='its files cannot be listed'
	elif [ -e "$1" ]; then
		k=other
	else
		e=$(ls -d -- "$1" 2>&1 >/dev/null)
		case $e in *'No such file'*) e= ;; esac
		return 0
	fi
	i=$(stat -c '%a %s %Y %Z %.9Y %.9Z %u %g %U %G' -- "$1" 2>/dev/null) || e='stat does not work'
}
one() { look "$1"; tell "$k" "$s" "$i" "$t" "$e" "$1"; }
gone() {
	up=$4
	while up=${up%/*}; [ "$up" != . ]; do
		[ ! -L "$up" ] || { tell '' '' '' '' 'a directory above it is a link now: run again' "$4"; return; }
	done
	look "$4"
	if [ -z "$e" ] && [ -n "$k" ]; then
		s=${s%% *}
		if [ "$k $s $t" != "$1 $2 $3" ]; then
			e='it has been changed since it was looked at: run again'
		elif [ "$k" = dir ]; then
			e=$(rmdir -- "$4" 2>&1)
		elif [ -n "$5" ]; then
			e=$(umask 077; { mkdir -p -- "${5%/*}" && mv -f -- "$4" "$5"; } 2>&1)
		else
			e=$(rm -f -- "$4" 2>&1)
		fi
	fi
	[ -n "$e" ] || look "$4"
	tell "$k" "$s" "$i" "$t" "$e" "$4"
}
`

// stockWalk tells of everything in the working directory. Each shell gets as many
// names as a command line holds.
const stockWalk = `find . -exec sh -c "$look"'for f; do [ "$f" = . ] || one "$f"; done' sh {} + 2>/dev/null` + "\n"

// stockScript asks with what every system has, and removes with it.
func stockScript(q Request) string {
	var b strings.Builder
	b.WriteString("LC_ALL=C; export LC_ALL\nlook=" + quote(stockLook) + "\neval \"$look\"\n")
	b.WriteString(`printf '` + stockMark + `\0%s\0%s\0' "$(date +%s.%N)" "$(id -u)"` + "\n")
	all := q.Tree != "" && len(q.Files) == 0
	if q.Tree != "" {
		top := quote(dashless(string(q.Tree)))
		look, none := "", "echo 'it is not there any more' >&2; exit 1"
		if all {
			look, none = "one .\n"+stockWalk, "one "+top+"; exit"
		}
		fmt.Fprintf(&b, "if cd -- %s 2>/dev/null; then\n:\n%selse %s\nfi\n", top, look, none)
	}
	for _, r := range q.Remove {
		sum, target, keep := "", "", ""
		if r.Sum != nil {
			sum = hex.EncodeToString(r.Sum[:])
		}
		if r.Kind == Link {
			target = string(r.Target) + "\n." // as $(readlink; echo .) has it
		}
		if q.Backup != "" {
			keep = path.Join(string(q.Backup), string(q.Tree), string(r.Path)) + string(q.Suffix)
		}
		b.WriteString("gone " + join([]string{string(r.Kind), sum, target, dashless(string(r.Path)), keep}) + "\n")
	}
	for _, f := range stockNames(q)[len(q.Remove):] {
		b.WriteString("one " + quote(dashless(string(f))) + "\n")
	}
	if all {
		b.WriteString("printf '" + stockEnd + `\0'` + "\n")
	}
	return b.String()
}

// stockEnd follows a tree, which has no known number of paths.
const stockEnd = "synk-end"

// stockNames are the paths that the script tells of, in order: first what it has
// removed.
func stockNames(q Request) []Name {
	seen := make(map[Name]bool)
	var names []Name
	for _, r := range q.Remove {
		names = append(names, r.Path)
		seen[r.Path] = true
	}
	for _, f := range q.Files {
		if !seen[f] {
			names = append(names, f)
		}
	}
	return names
}

// dashless writes a path so that it is never taken for an option, nor, by
// rsync, for a host's.
func dashless(p string) string {
	if path.IsAbs(p) {
		return p
	}
	return "./" + strings.TrimPrefix(p, "./")
}

// askStock asks a peer that has no synk.
func (s *surveyor) askStock(ctx context.Context, p Peer, q Request) (snap Snapshot, err error) {
	begun := s.now()
	err = s.shell.run(ctx, p, "sh", strings.NewReader(stockScript(q)), func(r io.Reader) error {
		br := bufio.NewReader(r)
		if _, err := br.Peek(1); err != nil {
			return errors.New("no answer")
		}
		answered := s.now()
		var now time.Time
		var unseen time.Duration
		if snap, now, unseen, err = readStock(io.LimitReader(br, maxLine), q); err != nil {
			return err
		}
		snap.Host, snap.Stock = p.Host, true
		snap.Ahead = ahead(now, begun, answered, unseen)
		return nil
	})
	return snap, err
}

// readStock reads what the script prints for a request. The peer's clock may show
// whole seconds only; unseen is what it does not show.
func readStock(r io.Reader, q Request) (snap Snapshot, now time.Time, unseen time.Duration, err error) {
	fields := bufio.NewScanner(r)
	fields.Buffer(nil, 64<<10)
	fields.Split(untilNUL)
	next := func() string {
		if fields.Scan() {
			return fields.Text()
		}
		return ""
	}
	if mark := next(); mark != stockMark {
		return snap, now, 0, fmt.Errorf("the answer begins with %.60q: is the shell there clean?", mark)
	}
	at, err := decimal(next())
	if err != nil {
		return snap, now, 0, fmt.Errorf("its clock: %w", err)
	}
	if now = at.Std(); at.Nsec == 0 {
		unseen = time.Second
	}
	snap = Snapshot{Root: next() == "0", Copies: make(map[string]Copy)}
	if q.Tree != "" && len(q.Files) == 0 {
		return snap, now, unseen, snap.stockTree(next)
	}
	for _, f := range stockNames(q) {
		c, path, err := stockCopy(next(), next)
		if err == nil && path != dashless(string(f)) {
			err = fmt.Errorf("the answer ends too early, or is of another file (%q)", path)
		}
		if err != nil {
			return snap, now, 0, fmt.Errorf("%q: %w", string(f), err)
		}
		snap.Copies[string(f)] = c
	}
	return snap, now, unseen, nil
}

// stockTree reads what is told of a tree: its own directory, and everything below.
func (s *Snapshot) stockTree(next func() string) (err error) {
	if s.Top, _, err = stockCopy(next(), next); err != nil || s.Top.Kind != Dir {
		if s.Top.Err == "" && s.Top.Present() {
			s.Top.Err = "it is no directory"
		}
		return err
	}
	for {
		kind := next()
		if kind == stockEnd {
			return nil
		}
		c, p, err := stockCopy(kind, next)
		name, below := strings.CutPrefix(p, "./")
		if err == nil && (!below || !filepath.IsLocal(name)) {
			err = errors.New("the answer ends too early, or is of something else")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
		if rootfs.IsTempName(path.Base(name)) && c.Kind == File {
			continue // left by a run that was killed
		}
		if c.Err != "" || c.Present() {
			s.Copies[name] = c
		}
	}
}

// stockCopy reads what is told of one path after its kind.
func stockCopy(k string, next func() string) (c Copy, path string, err error) {
	kind, sum, inode, target, failure, path := Kind(k), next(), next(), next(), next(), next()
	switch {
	case failure != "":
		return Copy{Err: failure}, path, nil
	case kind == Absent:
		return c, path, nil
	}
	if c, err = stockInode(inode); err != nil {
		return c, path, err
	}
	switch c.Kind = kind; kind {
	case File:
		digits, _, _ := strings.Cut(sum, " ")
		err = c.Sum.UnmarshalText([]byte(strings.TrimPrefix(digits, `\`)))
	case Link:
		c.Target = strings.TrimSuffix(strings.TrimSuffix(target, "."), "\n")
	case Dir, Other:
	default:
		err = fmt.Errorf("a kind %q", string(kind))
	}
	return c, path, err
}

// stockInode reads what stat says.
func stockInode(text string) (c Copy, err error) {
	w := strings.Fields(text)
	if len(w) < 8 {
		return c, fmt.Errorf("stat says %.100q", text)
	}
	mode, err := strconv.ParseUint(w[0], 8, 12)
	if err != nil {
		return c, fmt.Errorf("a mode %q", w[0])
	}
	c.Mode = uint32(mode)
	if c.Size, err = strconv.ParseInt(w[1], 10, 64); err != nil || c.Size < 0 {
		return c, fmt.Errorf("a size %q", w[1])
	}
	if c.Mtime, err = finest(w[2], w[4]); err != nil {
		return c, err
	}
	if c.Ctime, err = finest(w[3], w[5]); err != nil {
		return c, err
	}
	c.Owner, c.Group = w[6], w[7]
	if len(w) == 10 && w[8] != "UNKNOWN" {
		c.Owner = w[8]
	}
	if len(w) == 10 && w[9] != "UNKNOWN" {
		c.Group = w[9]
	}
	return c, nil
}

// finest takes the finer form of a time where stat knows it.
func finest(seconds, fine string) (Time, error) {
	t, err := decimal(seconds)
	if f, ferr := decimal(fine); err == nil && ferr == nil && f.Sec == t.Sec {
		return f, nil
	}
	return t, err
}

// decimal reads seconds with or without a fraction; one that is no number, as
// from a date that has none, is dropped.
func decimal(text string) (Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return Time{}, fmt.Errorf("a time %.40q", text)
	}
	nsec, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 31)
	if err != nil {
		nsec = 0
	}
	if strings.HasPrefix(whole, "-") && nsec != 0 { // -0.25 is second -1 and 0.75
		sec, nsec = sec-1, uint64(time.Second)-nsec
	}
	return Stamp{sec, int64(nsec)}.time()
}

func untilNUL(data []byte, end bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if end && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}
