package fill

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// begin takes the head of a whole file.
func (e *fetch) begin(resp *http.Response, at *url.URL) error {
	h := resp.Header
	e.meta = store.Meta{
		Key: e.req.Key, URL: redact(at), ETag: h.Get("ETag"), LastModified: h.Get("Last-Modified"), ContentType: h.Get("Content-Type"),
		CacheControl: h.Get("Cache-Control"), Expires: h.Get("Expires"), Date: h.Get("Date"), Length: resp.ContentLength,
	}
	if s := e.req.Sums; s != nil && s.Size >= 0 && resp.ContentLength >= 0 && s.Size != resp.ContentLength {
		return fmt.Errorf("%w: upstream has %d bytes, the %s says %d", ErrMismatch, resp.ContentLength, s.Origin, s.Size)
	}
	if page := misled(resp, at); page != "" && newCheck(e.req.Sums) == nil {
		return fmt.Errorf("%w: to the page %s", ErrMisled, page)
	}
	if e.keep, e.note = keepable(resp, e.req); !e.keep {
		e.encoding = h.Get("Content-Encoding")
	}
	if e.g.Room != nil {
		if err := e.g.Room(e.req.Key, resp.ContentLength); err != nil {
			return fmt.Errorf("%w: %w", ErrNoRoom, err)
		}
	}
	part, err := e.req.Store.Begin(e.req.Key, e.meta)
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("%w: %w", ErrNoRoom, err)
		}
		return err
	}
	e.part, e.have = part, 0
	return e.check.reread(part.File(), 0)
}

// misled tells of a redirect that ends at a web page of another name, as those of
// networks do that want one to log in first: "" if this is none.
func misled(resp *http.Response, at *url.URL) string {
	to := resp.Request.URL
	if to == nil || path.Base(to.Path) == path.Base(at.Path) || strings.Contains(path.Ext(at.Path), "htm") {
		return ""
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil && kind == "" || kind != "text/html" && kind != "application/xhtml+xml" {
		return ""
	}
	return redact(to)
}

// keepable says whether an answer may become a file of the store.
func keepable(resp *http.Response, req Request) (bool, string) {
	h := resp.Header
	if enc := h.Get("Content-Encoding"); enc != "" && enc != "identity" && !ownEncoding(req.Key, enc) {
		return false, "upstream has encoded it as " + enc + " unasked"
	}
	if req.Volatile {
		for d := range strings.SplitSeq(strings.ToLower(h.Get("Cache-Control")), ",") {
			if d = strings.TrimSpace(d); d == "no-store" || d == "private" {
				return false, "upstream forbids it: Cache-Control: " + d
			}
		}
		if strings.TrimSpace(h.Get("Vary")) == "*" {
			return false, "upstream says that each answer is another (Vary: *)"
		}
	}
	// RFC 9112, 8: a body that ends with the connection may have been cut. A status
	// line may say HTTP/2 and not be of it.
	framed := resp.ContentLength >= 0 || resp.TLS != nil && resp.TLS.NegotiatedProtocol == "h2" || slices.Contains(resp.TransferEncoding, "chunked")
	if !framed && (req.Sums == nil || newCheck(req.Sums) == nil) {
		return false, "nothing tells where it ends"
	}
	return true, ""
}

// ownEncoding reports whether a mirror merely calls a compressed file encoded,
// as many do with .tar.gz.
func ownEncoding(key, enc string) bool {
	ext := strings.ToLower(path.Ext(key))
	switch strings.TrimPrefix(strings.ToLower(enc), "x-") {
	case "gzip":
		return ext == ".gz" || ext == ".tgz" || ext == ".gzip"
	case "compress":
		return ext == ".z"
	case "bzip2":
		return ext == ".bz2" || ext == ".tbz2"
	}
	return false
}

// tell lets readers have the head and wait for the bytes.
func (e *fetch) tell() {
	h := http.Header{}
	for k, v := range map[string]string{
		"Content-Type": e.meta.ContentType, "ETag": e.meta.ETag, "Last-Modified": e.meta.LastModified, "Cache-Control": e.meta.CacheControl,
		"Expires": e.meta.Expires, "Date": e.meta.Date, "Content-Encoding": e.encoding,
	} {
		if v != "" {
			h.Set(k, v)
		}
	}
	e.told = true
	e.f.begin(Head{Status: http.StatusOK, Header: h, Length: e.meta.Length}, e.part.File())
}

// show lets readers have what may be shown.
func (e *fetch) show() {
	n := e.have
	if e.check != nil && e.check.hash != nil {
		if e.meta.Length >= 0 && e.meta.Length <= smallFile {
			return // soon, and whole
		}
		n -= heldBack
	}
	if n <= 0 {
		return
	}
	if !e.told {
		e.tell()
	}
	e.f.show(n)
}

// receive copies a body into the part.
func (e *fetch) receive(body io.Reader) error {
	buf := make([]byte, chunk)
	e.show() // what is there already
	for {
		n, err := body.Read(buf)
		e.came += int64(n)
		if n > 0 {
			if e.meta.Length >= 0 && e.have+int64(n) > e.meta.Length {
				return fmt.Errorf("more came than the %d bytes announced: %w", e.meta.Length, ErrChanged)
			}
			if _, err := e.part.Write(buf[:n]); err != nil {
				return e.diskError(err)
			}
			_, _ = e.check.Write(buf[:n])
			e.have += int64(n)
			e.show()
		}
		switch {
		case err == io.EOF && e.meta.Length >= 0 && e.have < e.meta.Length:
			return fmt.Errorf("the body ended after %d of %d bytes: %w", e.have, e.meta.Length, io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read from upstream after %d bytes: %w", e.have, err)
		}
	}
}

func (e *fetch) diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return err
}

// finish checks what has come, and gives it its name.
func (e *fetch) finish() error {
	proof, err := e.check.result()
	if err != nil {
		e.g.Log.Error("a wrong file came", "key", e.req.Key, "from", e.meta.URL, "err", err)
		if e.told {
			e.part.Drop()
			e.part = nil
		} else {
			e.drop() // the next mirror may do better
		}
		return err
	}
	if !e.told {
		e.tell()
	}
	if !e.keep {
		e.g.Log.Info("passed on, not kept", "key", e.req.Key, "why", e.note)
		e.part.Drop()
		e.part = nil
		return nil
	}
	m := e.meta
	m.Proof, m.Fetched, m.Checked, m.Length = proof, e.g.now(), e.g.now(), e.have
	if proof != "" {
		m.Sum = e.req.Sums.Best()
	}
	mod, err := http.ParseTime(e.meta.LastModified)
	if err != nil {
		mod = time.Time{} // now, then
	}
	part := e.part
	e.part = nil
	if err := part.Commit(m, mod); err != nil {
		return e.diskError(err)
	}
	e.kept = true
	return nil
}
