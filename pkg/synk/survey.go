package synk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// surveyor asks peers.
type surveyor struct {
	shell  Shell
	local  Server
	now    func() time.Time
	places places
}

// places limits how much happens at once.
type places chan struct{}

func newPlaces(n int) places {
	if n <= 0 {
		return nil
	}
	return make(places, n)
}

// in waits for a place; out gives it back. Without a limit neither waits.
func (p places) in(ctx context.Context) error {
	if p == nil {
		return ctx.Err()
	}
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p places) out() {
	if p != nil {
		<-p
	}
}

// each calls f for every index at once, as far as there are places, and waits.
func (p places) each(ctx context.Context, n int, f func(i int)) {
	done := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			if p.in(ctx) == nil {
				defer p.out()
				f(i)
			}
		}()
	}
	for range n {
		<-done
	}
}

// look asks this machine.
func (s *surveyor) look(ctx context.Context, q Request) Snapshot {
	q.Synk = Version
	a, err := s.local.Answer(ctx, q)
	if err != nil {
		return Snapshot{Host: Localhost, Err: err}
	}
	snap, err := a.snapshot(Localhost, q.Tree != "")
	if err != nil {
		return Snapshot{Host: Localhost, Err: err}
	}
	return snap
}

// ask asks a peer, with its own synk or, where stock is set or there is none,
// with what every system has. A peer that tells nothing is a snapshot with an
// error.
func (s *surveyor) ask(ctx context.Context, p Peer, q Request, stock bool) Snapshot {
	var first error
	if !stock {
		snap, err := s.askSynk(ctx, p, q)
		if err == nil {
			return snap
		}
		var ce *commandError
		if ctx.Err() != nil || errors.As(err, &ce) && ce.status == shellFailure {
			return Snapshot{Host: p.Host, Err: err}
		}
		var refused *refusal
		if errors.As(err, &refused) {
			return Snapshot{Host: p.Host, Err: err}
		}
		first = err
	}
	snap, err := s.askStock(ctx, p, q)
	if err != nil {
		if first != nil {
			err = fmt.Errorf("%w; without synk there: %w", first, err)
		}
		return Snapshot{Host: p.Host, Err: err, Stock: true}
	}
	return snap
}

// refusal is what a peer's synk does not do.
type refusal struct{ error }

func (s *surveyor) askSynk(ctx context.Context, p Peer, q Request) (snap Snapshot, err error) {
	q.Synk = Version
	line, err := json.Marshal(q)
	if err != nil {
		return snap, fmt.Errorf("write the request: %w", err)
	}
	begun := s.now()
	err = s.shell.run(ctx, p, "synk -s", bytes.NewReader(append(line, '\n')), func(r io.Reader) error {
		br := bufio.NewReader(r)
		if _, err := br.Peek(1); err != nil {
			return errors.New("no answer")
		}
		answered := s.now()
		if head, _ := br.Peek(8); string(head) != `{"synk":` {
			text, _ := br.ReadString('\n')
			return fmt.Errorf("the answer begins with %.60q: is the shell there clean?", text)
		}
		a, err := ReadAnswer(br)
		if err != nil {
			return &refusal{err}
		}
		if snap, err = a.snapshot(p.Host, q.Tree != ""); err != nil {
			return &refusal{err}
		}
		now, _ := a.Now.time() // has been checked
		snap.Ahead = ahead(now.Std(), begun, answered, 0)
		return nil
	})
	return snap, err
}

// ahead is by how much a clock is surely ahead that showed now between two
// moments of this machine's clock, negative if it is surely behind. It may lag
// by as much as it does not show.
func ahead(now, begun, answered time.Time, unseen time.Duration) time.Duration {
	if d := now.Sub(answered); d > 0 {
		return d
	}
	if d := now.Add(unseen).Sub(begun); d < 0 {
		return d
	}
	return 0
}
