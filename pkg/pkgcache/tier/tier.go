// Package tier keeps copies of cached files in an S3-compatible store that many
// caches share, beyond the few hosts that do as each other's peers.
//
// To a fill it is one more mirror, asked before the others: a [Tier] is an
// http.RoundTripper for URLs of the scheme s3, which answers as an HTTP server that
// has the file would. So resuming, sums and bounds are those of any upstream, and
// what comes is looked at as closely. A file that a cache has fetched from
// elsewhere is copied in the background. A store that does not answer is left
// alone for a while: the cache works without it.
//
// Each object carries the validators that upstream gave the file, not the store's
// own, so that a download which began at a mirror can go on here and the other way
// round.
package tier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Scheme is that of the URLs that a Tier answers.
const Scheme = "s3"

// Settings say where the store is.
type Settings struct {
	// Endpoint is http://host:port/bucket or https://..., with a prefix of names
	// behind it if there is one.
	Endpoint *url.URL
	Region   string
	// Access and Secret are the key.
	Access, Secret string
	// Transport reaches the store; nil: http.DefaultTransport.
	Transport http.RoundTripper
	Log       *slog.Logger
	// Rest is how long a store that failed is left alone. 0: 30 s.
	Rest time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Tier is the store. Its methods may be used from many goroutines.
type Tier struct {
	core           minio.Core
	host           string
	bucket, prefix string
	log            *slog.Logger
	rest           time.Duration
	now            func() time.Time
	queue          chan job

	mu    sync.Mutex
	until time.Time // left alone until then
}

// job is a file to be copied.
type job struct {
	from *store.Store
	key  string
}

// waiting bounds the copies that wait for their turn.
const waiting = 1000

// New makes a Tier; it talks to nobody yet.
func New(set Settings) (*Tier, error) {
	bucket, prefix, _ := strings.Cut(strings.Trim(set.Endpoint.Path, "/"), "/")
	if bucket == "" || set.Endpoint.Host == "" {
		return nil, fmt.Errorf("the store %s: write http://host:port/bucket", set.Endpoint.Redacted())
	}
	core, err := minio.NewCore(set.Endpoint.Host, &minio.Options{
		Creds: credentials.NewStaticV4(set.Access, set.Secret, ""), Secure: set.Endpoint.Scheme == "https", Region: set.Region,
		Transport: set.Transport, BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("the store %s: %w", set.Endpoint.Redacted(), err)
	}
	t := &Tier{
		core: *core, host: set.Endpoint.Host, bucket: bucket, prefix: prefix, log: set.Log, rest: set.Rest, now: set.Now,
		queue: make(chan job, waiting),
	}
	if t.rest == 0 {
		t.rest = 30 * time.Second
	}
	if t.now == nil {
		t.now = time.Now
	}
	return t, nil
}

// Host is that of the Tier's URLs.
func (t *Tier) Host() string { return t.host }

// URL is where a file would be.
func (t *Tier) URL(key string) *url.URL {
	return &url.URL{Scheme: Scheme, Host: t.host, Path: "/" + path.Join(t.bucket, t.prefix, key)}
}

// resting reports whether the store is left alone.
func (t *Tier) resting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now().Before(t.until)
}

// failed leaves the store alone for a while.
func (t *Tier) failed(what string, err error) {
	t.mu.Lock()
	t.until = t.now().Add(t.rest)
	t.mu.Unlock()
	t.log.Warn("the common store fails, it is left alone", "for", t.rest, "doing", what, "err", err)
}

// Names of the fields that an object carries of the file's upstream.
const (
	etagField     = "Origin-Etag"
	modifiedField = "Origin-Modified"
	typeField     = "Origin-Type"
)

// RoundTrip implements http.RoundTripper: it gets an object. Of the request's
// fields it understands Range with If-Range.
func (t *Tier) RoundTrip(r *http.Request) (*http.Response, error) {
	name, ok := strings.CutPrefix(r.URL.Path, "/"+t.bucket+"/")
	switch {
	case r.Method != http.MethodGet || !ok || r.URL.Host != t.host:
		return answer(r, http.StatusBadRequest, nil), nil
	case t.resting():
		return answer(r, http.StatusServiceUnavailable, nil), nil
	}
	span := r.Header.Get("Range")
	resp, err := t.get(r, name, span)
	if err == nil && span != "" && !sameAs(resp.Header, r.Header.Get("If-Range")) {
		resp.Body.Close()
		resp, err = t.get(r, name, "") // another file: all of it
	}
	var refused minio.ErrorResponse
	switch {
	case err == nil:
		return resp, nil
	case r.Context().Err() != nil:
		return nil, context.Cause(r.Context())
	case errors.As(err, &refused) && (refused.StatusCode == http.StatusNotFound || refused.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		return answer(r, refused.StatusCode, nil), nil
	}
	t.failed("get "+name, err)
	return answer(r, http.StatusServiceUnavailable, nil), nil
}

func (t *Tier) get(r *http.Request, name, span string) (*http.Response, error) {
	var opt minio.GetObjectOptions
	if span != "" {
		opt.Set("Range", span)
	}
	body, info, sent, err := t.core.GetObject(r.Context(), t.bucket, name, opt)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for from, to := range map[string]string{etagField: "ETag", modifiedField: "Last-Modified", typeField: "Content-Type"} {
		if v := info.UserMetadata[from]; v != "" {
			h.Set(to, v)
		}
	}
	code := http.StatusOK
	if v := sent.Get("Content-Range"); v != "" {
		code = http.StatusPartialContent
		h.Set("Content-Range", v)
	}
	resp := answer(r, code, h)
	resp.Body, resp.ContentLength = body, -1
	if n, err := strconv.ParseInt(sent.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		resp.ContentLength = n
	}
	return resp, nil
}

// sameAs reports whether a validator is one of the object's.
func sameAs(h http.Header, validator string) bool {
	return validator == "" || validator == h.Get("ETag") || validator == h.Get("Last-Modified")
}

func answer(r *http.Request, code int, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{
		Status: fmt.Sprint(code, " ", http.StatusText(code)), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody, Request: r,
	}
}

// Copy has a file copied, by and by. When too many wait it is not.
func (t *Tier) Copy(from *store.Store, key string) {
	select {
	case t.queue <- job{from, key}:
	default:
		t.log.Warn("too many files wait for the common store, one is not copied", "key", key)
	}
}

// Run copies files until the context ends.
func (t *Tier) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-t.queue:
			if t.resting() {
				continue // whoever fetches it next copies it
			}
			if err := t.put(ctx, j); err != nil && ctx.Err() == nil {
				t.failed("copy "+j.key, err)
			}
		}
	}
}

// put copies a file. The store shows an object when all of it has come.
func (t *Tier) put(ctx context.Context, j job) error {
	o, err := j.from.Get(j.key)
	if err != nil {
		return nil // it has gone again
	}
	defer o.Close()
	fields := make(map[string]string)
	for name, v := range map[string]string{etagField: o.Meta.ETag, modifiedField: o.Meta.LastModified, typeField: o.Meta.ContentType} {
		if v != "" && len(v) < 500 {
			fields[name] = v
		}
	}
	_, err = t.core.Client.PutObject(ctx, t.bucket, path.Join(t.prefix, j.key), io.NewSectionReader(o, 0, o.Size), o.Size, minio.PutObjectOptions{
		UserMetadata: fields, ContentType: "application/octet-stream", PartSize: 16 << 20,
	})
	return err
}
