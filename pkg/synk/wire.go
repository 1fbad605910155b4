package synk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"time"
	"unicode/utf8"
)

// Version is that of the lines that are exchanged. Fields may be added without
// a new one; readers ignore what they do not know.
const Version = 1

// maxLine bounds a line in bytes: some hundred thousand files.
const maxLine = 128 << 20

// Request is what is asked of a peer.
type Request struct {
	Synk int `json:"synk"` // Version
	// Files are paths of the peer: absolute, or below the login directory.
	Files []Name `json:"files,omitempty"`
	// Tree asks for everything below it, or with Files for those below it alone.
	Tree Name `json:"tree,omitempty"`
	// Remove are paths below Tree that are to go, as long as they are what
	// they are expected to be.
	Remove []Removal `json:"remove,omitempty"`
	// Backup is a directory that keeps what is removed, "" for none, and Suffix
	// what is put behind names there.
	Backup Name `json:"backup,omitempty"`
	Suffix Name `json:"suffix,omitempty"`
}

// Removal is a file, link or empty directory that is to go.
type Removal struct {
	Path   Name   `json:"path"`
	Kind   Kind   `json:"kind"`
	Sum    *Sum   `json:"sum,omitempty"`
	Target []byte `json:"target,omitempty"`
}

// Answer is what a peer tells.
type Answer struct {
	Synk int `json:"synk"` // Version
	// Now is the peer's clock at the moment of answering.
	Now Stamp `json:"now"`
	// UID is whom it runs as.
	UID int `json:"uid"`
	// Rsync is the command that is rsync there, "" for rsync itself.
	Rsync string `json:"rsync,omitempty"`
	// Top is the tree's own directory, if one was asked for.
	Top *Report `json:"top,omitempty"`
	// Files are those that were asked for, in any order.
	Files []Report `json:"files,omitempty"`
	// Error says why the request cannot be met.
	Error string `json:"error,omitempty"`
}

// Report is a [Copy] on its way.
type Report struct {
	Path   Name   `json:"path"`
	Kind   Kind   `json:"kind,omitempty"`
	Sum    *Sum   `json:"sum,omitempty"`
	Target []byte `json:"target,omitempty"` // base64 in JSON: it need not be UTF-8
	Size   int64  `json:"size,omitempty"`
	Mtime  Stamp  `json:"mtime"`
	Ctime  Stamp  `json:"ctime"`
	Mode   uint32 `json:"mode,omitempty"`
	Owner  string `json:"owner,omitempty"`
	Group  string `json:"group,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Stamp is a [Time] as an array of seconds and nanoseconds.
type Stamp [2]int64

func stamp(t Time) Stamp { return Stamp{t.Sec, int64(t.Nsec)} }

// latestSecond is where years have five digits, which nothing here can show.
const latestSecond = 253402300800

func (s Stamp) time() (Time, error) {
	if s[0] < -latestSecond || s[0] >= latestSecond || s[1] < 0 || s[1] >= int64(time.Second) {
		return Time{}, fmt.Errorf("a time of %d seconds, %d nanoseconds", s[0], s[1])
	}
	return Time{s[0], int32(s[1])}, nil
}

// Name is a file's name, any bytes but NUL. In JSON it is a string, or, where it
// is not UTF-8, an array with its base64.
type Name string

// MarshalJSON implements json.Marshaler.
func (n Name) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(n)) {
		return json.Marshal(string(n))
	}
	return json.Marshal([]string{base64.StdEncoding.EncodeToString([]byte(n))})
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Name) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		var in []string
		if err := json.Unmarshal(text, &in); err != nil {
			return err
		}
		if len(in) != 1 {
			return errors.New("a name is an array of one string")
		}
		b, err := base64.StdEncoding.DecodeString(in[0])
		*n = Name(b)
		return err
	}
	return json.Unmarshal(text, (*string)(n))
}

func (n Name) check() error {
	if n == "" || len(n) > 4096 || bytes.IndexByte([]byte(n), 0) >= 0 {
		return fmt.Errorf("%q is no path", string(n))
	}
	return nil
}

// report puts a copy into its form on the wire.
func report(path string, c Copy) Report {
	r := Report{
		Path: Name(path), Kind: c.Kind, Size: c.Size, Mtime: stamp(c.Mtime), Ctime: stamp(c.Ctime), Mode: c.Mode, Owner: c.Owner,
		Group: c.Group, Error: c.Err,
	}
	r.Sum, r.Target = c.Content.wire()
	return r
}

func (c Content) wire() (*Sum, []byte) {
	switch c.Kind {
	case File:
		return &c.Sum, nil
	case Link:
		return nil, []byte(c.Target)
	}
	return nil, nil
}

// copy checks what a peer has told of a path.
func (r Report) copy() (c Copy, err error) {
	if r.Error != "" {
		return Copy{Err: r.Error}, nil
	}
	c = Copy{Size: r.Size, Mode: r.Mode, Owner: r.Owner, Group: r.Group}
	if c.Content, err = content(r.Kind, r.Sum, r.Target); err != nil {
		return c, err
	}
	if c.Mtime, err = r.Mtime.time(); err != nil {
		return c, err
	}
	if c.Ctime, err = r.Ctime.time(); err != nil {
		return c, err
	}
	if r.Mode&^0o7777 != 0 || r.Size < 0 {
		return c, fmt.Errorf("mode %o, size %d", r.Mode, r.Size)
	}
	return c, nil
}

// content checks what comes from outside.
func content(k Kind, sum *Sum, target []byte) (Content, error) {
	switch {
	case k == File && sum != nil && target == nil:
		return Content{Kind: k, Sum: *sum}, nil
	case k == Link && sum == nil && len(target) > 0:
		return Content{Kind: k, Target: string(target)}, nil
	case (k == Absent || k == Dir || k == Other) && sum == nil && target == nil:
		return Content{Kind: k}, nil
	}
	return Content{}, fmt.Errorf("a kind %q that does not fit what is told besides", string(k))
}

// readLine reads one line of JSON into v, at most limit bytes.
func readLine(r io.Reader, limit int64, v any) error {
	lim := &io.LimitedReader{R: r, N: limit}
	err := json.NewDecoder(lim).Decode(v)
	switch {
	case err != nil && lim.N <= 0:
		return fmt.Errorf("a line of more than %d bytes", limit)
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadRequest reads and checks a request.
func ReadRequest(r io.Reader) (Request, error) {
	var q Request
	if err := readLine(r, maxLine, &q); err != nil {
		return q, fmt.Errorf("read the request: %w", err)
	}
	if q.Synk != Version {
		return q, fmt.Errorf("the request is of version %d, this synk speaks %d", q.Synk, Version)
	}
	for _, f := range q.Files {
		if err := f.check(); err != nil {
			return q, err
		}
	}
	for _, f := range q.Remove {
		if err := f.Path.check(); err != nil {
			return q, err
		}
		if _, err := content(f.Kind, f.Sum, f.Target); err != nil || f.Kind == Absent || f.Kind == Other {
			return q, fmt.Errorf("remove %q: a removal names what is expected", string(f.Path))
		}
	}
	if len(q.Remove) > 0 && q.Tree == "" {
		return q, errors.New("a removal without a tree")
	}
	return q, nil
}

// ReadAnswer reads and checks an answer.
func ReadAnswer(r io.Reader) (Answer, error) {
	var a Answer
	if err := readLine(r, maxLine, &a); err != nil {
		return a, fmt.Errorf("read the answer: %w", err)
	}
	if a.Synk != Version {
		return a, fmt.Errorf("the answer is of version %d, this synk speaks %d", a.Synk, Version)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	if _, err := a.Now.time(); err != nil {
		return a, err
	}
	return a, nil
}

// snapshot checks an answer's files, which are below a tree if one was asked for.
func (a Answer) snapshot(host string, tree bool) (s Snapshot, err error) {
	s = Snapshot{Host: host, Root: a.UID == 0, Rsync: a.Rsync, Copies: make(map[string]Copy, len(a.Files))}
	if a.Top != nil {
		if s.Top, err = a.Top.copy(); err != nil {
			return s, fmt.Errorf("the tree: %w", err)
		}
	}
	for _, f := range a.Files {
		c, err := f.copy()
		if err == nil {
			err = f.Path.check()
		}
		if err == nil && tree && (!filepath.IsLocal(string(f.Path)) || path.Clean(string(f.Path)) != string(f.Path)) {
			err = errors.New("that is not below the tree")
		}
		if err != nil {
			return s, fmt.Errorf("%q: %w", string(f.Path), err)
		}
		s.Copies[string(f.Path)] = c
	}
	return s, nil
}
