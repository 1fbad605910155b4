package synk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Server answers for this machine.
type Server struct {
	Now func() time.Time // nil for the time of day
	// Rsync is the command that is rsync here, "" for rsync itself.
	Rsync string
}

// Serve reads a request and writes the answer: "synk -s". An error has been told
// to the other side as well if it could be.
func (s *Server) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	q, err := ReadRequest(in)
	a := Answer{}
	if err == nil {
		a, err = s.Answer(ctx, q)
	}
	if err != nil {
		a = Answer{Error: err.Error()}
	}
	a.Synk, a.Now = Version, stamp(TimeOf(s.now()))
	if werr := json.NewEncoder(out).Encode(a); werr != nil && err == nil {
		err = fmt.Errorf("write the answer: %w", werr)
	}
	return err
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Answer does what is asked for.
func (s *Server) Answer(ctx context.Context, q Request) (Answer, error) {
	a := Answer{Synk: Version, UID: os.Geteuid(), Rsync: s.Rsync}
	look := newLooker()
	var kept map[string]string
	if len(q.Remove) > 0 {
		var err error
		if kept, err = look.remove(ctx, q); err != nil {
			return a, err
		}
	}
	switch {
	case q.Tree == "":
		for _, f := range q.Files {
			a.Files = append(a.Files, report(string(f), look.file(ctx, string(f))))
		}
	case len(q.Files) > 0:
		look.some(ctx, string(q.Tree), q.Files, kept, &a)
	default:
		top, files := look.tree(ctx, string(q.Tree))
		t := report(string(q.Tree), top)
		a.Top = &t
		for name, c := range files {
			a.Files = append(a.Files, report(name, c))
		}
	}
	a.Now = stamp(TimeOf(s.now()))
	return a, ctx.Err()
}
