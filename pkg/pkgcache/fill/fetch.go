package fill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// fetch is one fill at work.
type fetch struct {
	g     *Group
	f     *Fill
	req   Request
	check *check
	left  []*url.URL // mirrors that have not been tried

	part *store.Part
	meta store.Meta
	keep bool   // what comes may become a whole file of the store
	note string // why not
	// encoding is a Content-Encoding to pass on.
	encoding string
	told     bool // readers have the head
	have     int64
	came     int64 // bytes from upstream, once more ones counted again
	kept     bool  // it is in the store
}

// Sizes in bytes.
const (
	chunk = 64 << 10 // of a read
	// A file whose sums are known is shown when they agree; of a larger one the
	// last bytes are held back until then.
	smallFile = 1 << 20
	heldBack  = 64 << 10
)

// run tries the mirrors in turn. The error is why there is no whole file.
func (e *fetch) run(ctx context.Context) error {
	var err error
	e.left = e.req.URLs
	for len(e.left) > 0 {
		at := e.left[0]
		e.left = e.left[1:]
		before := e.came
		err = e.mirror(ctx, at)
		e.g.tell(Event{Host: at.Host, Key: e.req.Key, Bytes: e.came - before, Err: err, Kept: e.kept, Store: e.req.Store, Volatile: e.req.Volatile})
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || e.told && !e.resumable() || notModified(err) || errors.Is(err, ErrNoRoom) || len(e.left) == 0 {
			break // what readers have cannot be gone on with elsewhere
		}
		level, status := slog.LevelWarn, (*StatusError)(nil)
		if errors.As(err, &status) && status.Code == http.StatusNotFound {
			level = slog.LevelDebug // not every mirror has everything
		}
		e.g.Log.Log(ctx, level, "fetch failed, next mirror", "key", e.req.Key, "url", redact(at), "err", err)
	}
	if e.part != nil {
		e.putAside(err)
	}
	if !e.told {
		var status *StatusError
		if errors.As(err, &status) {
			e.f.begin(Head{Status: status.Code, Header: status.Header, Length: 0}, nil)
			return nil
		}
	}
	if err == nil {
		err = errors.New("there is nowhere to fetch it from")
	}
	return err
}

// notModified reports that what is in the store is still what upstream has.
func notModified(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotModified
}

// resumable reports whether what has come may be gone on with.
func (e *fetch) resumable() bool {
	return e.part != nil && e.keep && !e.req.Volatile && e.have > 0 &&
		(strong(e.meta.ETag) || e.meta.LastModified != "" && e.meta.Length > 0)
}

func strong(etag string) bool { return etag != "" && !strings.HasPrefix(etag, "W/") }

// putAside keeps a part that a later fetch may go on with.
func (e *fetch) putAside(why error) {
	keep := e.resumable() && !errors.Is(why, ErrMismatch) && !errors.Is(why, ErrChanged) && e.part.Keep() == nil
	if !keep {
		e.part.Drop()
	}
	if !e.told { // else whoever reads closes it
		e.part.File().Close()
	}
}

// StatusError is an answer that brings no file.
type StatusError struct {
	Code   int
	Header http.Header
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("upstream answers %d %s", e.Code, http.StatusText(e.Code))
}

// manyTries is how often a mirror is asked on when each try brings a little.
const manyTries = 50

// mirror fetches from one place, going on where it broke off.
func (e *fetch) mirror(ctx context.Context, at *url.URL) error {
	done, err := e.g.turn(ctx, at.Host)
	if err != nil {
		return err
	}
	defer done()
	for try, total := 1, 1; ; try, total = try+1, total+1 {
		before := e.have
		err := e.once(ctx, at)
		if err == nil {
			return nil
		}
		if e.have > before && e.resumable() && total < manyTries {
			try = 1 // it gets on
		}
		if final(err) || ctx.Err() != nil || try >= or(e.g.Tries, 3) || e.told && !e.resumable() {
			return err
		}
		if errors.Is(err, ErrStalled) && e.have == before && len(e.left) > 0 {
			return err // rather another mirror than more of the silence
		}
		e.g.Log.Info("fetch broke off, trying again", "key", e.req.Key, "url", redact(at), "have", e.have, "err", err)
		select {
		case <-time.After(or(e.g.Pause, time.Second) * time.Duration(try)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// final reports an error that another try at the same place would bring again.
func final(err error) bool {
	var status *StatusError
	return errors.As(err, &status) || slices.ContainsFunc([]error{ErrMismatch, ErrNoRoom, ErrChanged, ErrForbidden, ErrMisled},
		func(e error) bool { return errors.Is(err, e) })
}

// once makes one request and takes its answer.
func (e *fetch) once(ctx context.Context, at *url.URL) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.findPart()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	e.fields(req)
	stall := or(e.g.Stall, time.Minute)
	timer := time.AfterFunc(stall, func() { cancel(ErrStalled) })
	defer timer.Stop()
	gaveUp := func() error {
		if err := context.Cause(ctx); errors.Is(err, ErrStalled) {
			return fmt.Errorf("%w (for %v)", err, stall)
		}
		return nil
	}
	resp, err := e.g.Client.Do(req)
	if err != nil {
		if why := gaveUp(); why != nil {
			err = why
		}
		return fmt.Errorf("ask upstream: %w", err)
	}
	defer resp.Body.Close()
	body := &steady{Reader: resp.Body, ctx: ctx, rate: e.g.Rate, timer: timer, stall: stall, failed: gaveUp}
	return e.answer(resp, body, at)
}

// findPart looks for something to go on with, and hashes it. What came from
// another mirror is only gone on with if that can tell whether it is the same.
func (e *fetch) findPart() {
	if e.part != nil && !e.told && !e.resumable() {
		e.drop()
	}
	if e.req.Volatile || e.part != nil {
		return
	}
	part, err := e.req.Store.Resume(e.req.Key)
	if err != nil {
		return // nothing, or nothing that is of use
	}
	e.part, e.meta, e.have, e.keep = part, part.Meta(), part.Have(), true
	if err := e.check.reread(part.File(), e.have); err != nil || !e.resumable() {
		e.drop()
	}
}

// drop throws away what has come.
func (e *fetch) drop() {
	e.part.Drop()
	if !e.told {
		e.part.File().Close()
	}
	e.part, e.have, e.meta = nil, 0, store.Meta{}
}

// fields sets what the request says beside its URL.
func (e *fetch) fields(req *http.Request) {
	for k, v := range e.req.Header {
		req.Header[k] = v
	}
	req.Header.Set("Accept-Encoding", "identity")
	switch known := e.req.Known; {
	case e.have > 0:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", e.have))
		if strong(e.meta.ETag) {
			req.Header.Set("If-Range", e.meta.ETag)
		} else {
			req.Header.Set("If-Range", e.meta.LastModified)
		}
	case known != nil:
		if known.ETag != "" {
			req.Header.Set("If-None-Match", known.ETag)
		}
		if known.LastModified != "" {
			req.Header.Set("If-Modified-Since", known.LastModified)
		}
	}
}

// answer takes an answer apart by its status.
func (e *fetch) answer(resp *http.Response, body io.Reader, at *url.URL) error {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if e.have == 0 || !e.sameFile(resp) {
			return e.startOver("upstream sends a part of another file")
		}
	case http.StatusOK:
		switch {
		case e.told && !e.sameWhole(resp):
			return fmt.Errorf("go on at byte %d: %w", e.have, ErrChanged)
		case e.told:
			// Upstream knows no ranges: what has come already comes once more.
			if _, err := io.CopyN(io.Discard, body, e.have); err != nil {
				return fmt.Errorf("read from upstream once more: %w", err)
			}
		default:
			if e.part != nil {
				e.drop()
			}
			if err := e.begin(resp, at); err != nil {
				return err
			}
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if e.have > 0 {
			return e.startOver("upstream has no such part")
		}
		fallthrough
	default:
		return &StatusError{Code: resp.StatusCode, Header: resp.Header}
	}
	if err := e.receive(body); err != nil {
		return err
	}
	return e.finish()
}

// startOver drops the part, so that the next try asks for everything.
func (e *fetch) startOver(why string) error {
	if e.told {
		return fmt.Errorf("%s: %w", why, ErrChanged)
	}
	if e.part != nil {
		e.drop()
	}
	return errors.New(why)
}

// sameFile reports whether a partial answer goes on with the part.
func (e *fetch) sameFile(resp *http.Response) bool {
	first, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if !ok || first != e.have {
		return false
	}
	if total >= 0 && e.meta.Length >= 0 && total != e.meta.Length {
		return false
	}
	if etag := resp.Header.Get("ETag"); etag != "" && e.meta.ETag != "" && etag != e.meta.ETag {
		return false
	}
	if lm := resp.Header.Get("Last-Modified"); lm != "" && e.meta.LastModified != "" && lm != e.meta.LastModified {
		return false
	}
	return true
}

// sameWhole reports whether an answer with a whole file is the file whose
// beginning has come.
func (e *fetch) sameWhole(resp *http.Response) bool {
	return resp.ContentLength == e.meta.Length && resp.Header.Get("ETag") == e.meta.ETag &&
		resp.Header.Get("Last-Modified") == e.meta.LastModified
}

// parseContentRange reads "bytes FIRST-LAST/TOTAL" (RFC 9110, 14.4); total is
// -1 if it is "*".
func parseContentRange(s string) (first, total int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	span, all, ok2 := strings.Cut(rest, "/")
	from, to, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, false
	}
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	total = -1
	var err3 error
	if all != "*" {
		total, err3 = strconv.ParseInt(all, 10, 64)
	}
	if err1 != nil || err2 != nil || err3 != nil || last < first || all != "*" && last >= total {
		return 0, 0, false
	}
	return first, total, true
}

// redact is a URL without its password.
func redact(u *url.URL) string { return u.Redacted() }
