package synk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
)

// stockMark is the first field of what the script prints.
const stockMark = "synk-stock 1"

// stockLook is a shell function that tells of one path in fields that end with
// NUL: kind, sum, what stat says, target, error, path.
const stockLook = `
tell() { printf '%s\0%s\0%s\0%s\0%s\0%s\0' "$1" "$2" "$3" "$4" "$5" "$6"; }
one() {
	k= s= t= e=
	if [ -L "$1" ]; then
		k=link; t=$(readlink -- "$1" && echo .) || e='the link cannot be read'
	elif [ -f "$1" ]; then
		k=file; s=$(sha512sum <"$1" 2>/dev/null) || e='it cannot be read, or sha512sum is missing'
	elif [ -d "$1" ]; then
		k=dir
	elif [ -e "$1" ]; then
		k=other
	else
		e=$(ls -d -- "$1" 2>&1 >/dev/null)
		case $e in *'No such file'*) e= ;; esac
		tell '' '' '' '' "$e" "$1"
		return
	fi
	i=$(stat -c '%a %s %Y %Z %.9Y %.9Z %u %g %U %G' -- "$1" 2>/dev/null) || e='stat does not work'
	tell "$k" "$s" "$i" "$t" "$e" "$1"
}
`

// stockScript asks for files with what every system has.
func stockScript(q Request) (string, error) {
	if q.Tree != "" {
		return "", errors.New("directories need synk on every peer")
	}
	var b strings.Builder
	b.WriteString("LC_ALL=C; export LC_ALL\n" + stockLook)
	b.WriteString(`printf '` + stockMark + `\0%s\0%s\0' "$(date +%s.%N)" "$(id -u)"` + "\n")
	for _, f := range q.Files {
		b.WriteString("one " + quote(dashless(string(f))) + "\n")
	}
	return b.String(), nil
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
	script, err := stockScript(q)
	if err != nil {
		return snap, err
	}
	begun := s.now()
	err = s.shell.run(ctx, p, "sh", strings.NewReader(script), func(r io.Reader) error {
		br := bufio.NewReader(r)
		if _, err := br.Peek(1); err != nil {
			return errors.New("no answer")
		}
		answered := s.now()
		var now time.Time
		var unseen time.Duration
		if snap, now, unseen, err = readStock(io.LimitReader(br, maxLine), q.Files); err != nil {
			return err
		}
		snap.Host, snap.Stock = p.Host, true
		snap.Ahead = ahead(now, begun, answered, unseen)
		return nil
	})
	return snap, err
}

// readStock reads what the script prints for these files. The peer's clock may
// show whole seconds only; unseen is what it does not show.
func readStock(r io.Reader, files []Name) (snap Snapshot, now time.Time, unseen time.Duration, err error) {
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
	snap = Snapshot{Root: next() == "0", Copies: make(map[string]Copy, len(files))}
	for _, f := range files {
		c, path, err := stockCopy(next)
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

// stockCopy reads what is told of one path.
func stockCopy(next func() string) (c Copy, path string, err error) {
	kind, sum, inode, target, failure, path := Kind(next()), next(), next(), next(), next(), next()
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
