package pkgcache

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// fresh reports whether a volatile file need not be asked for again.
func (c *Cache) fresh(o *store.Object, d Decision) bool {
	if !o.Known {
		return false
	}
	age := c.now().Sub(o.Meta.Checked)
	if age < 0 {
		return false // the clock was set back
	}
	dir, err := cacheobject.ParseResponseCacheControl(o.Meta.CacheControl)
	switch {
	case err != nil:
		return false
	case dir.NoCachePresent || dir.NoStore:
		return false
	case dir.SMaxAge >= 0:
		return age < time.Duration(dir.SMaxAge)*time.Second
	case dir.MaxAge >= 0:
		return age < time.Duration(dir.MaxAge)*time.Second
	}
	if o.Meta.Expires != "" {
		expires, err := http.ParseTime(o.Meta.Expires)
		date, err2 := http.ParseTime(o.Meta.Date)
		return err == nil && err2 == nil && age < expires.Sub(date)
	}
	return age < d.MaxAge
}

// whole serves a file of the store.
func (c *Cache) whole(w http.ResponseWriter, r *http.Request, o *store.Object, state string) {
	h := w.Header()
	for k, v := range map[string]string{
		"ETag": o.Meta.ETag, "Last-Modified": o.Meta.LastModified, "Content-Type": o.Meta.ContentType,
		"Cache-Control": o.Meta.CacheControl, "Expires": o.Meta.Expires,
	} {
		if v != "" {
			h.Set(k, v)
		}
	}
	if o.Known {
		h.Set("Age", strconv.Itoa(max(0, int(c.now().Sub(o.Meta.Checked).Seconds()))))
	}
	if now := c.now(); now.Sub(o.Used) > time.Hour {
		if err := o.Touch(now); err != nil {
			c.Log.Debug("note that a file is used", "key", o.Meta.Key, "err", err)
		}
	}
	c.content(w, r, o.File, o.ModTime, state)
}

// content serves bytes whose length is known: ranges and conditions are
// net/http's.
func (c *Cache) content(w http.ResponseWriter, r *http.Request, body io.ReadSeeker, modTime time.Time, state string) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/octet-stream") // no guessing from the bytes
	}
	h.Set("X-Cache", state)
	h.Add("Via", "1.1 "+c.Name)
	http.ServeContent(w, r, "", modTime, body)
}

// arriving serves a file while it comes.
func (c *Cache) arriving(w http.ResponseWriter, r *http.Request, f *fill.Fill, head fill.Head, state string) {
	body, err := f.Reader(r.Context())
	if err != nil {
		refuse(w, http.StatusBadGateway, err.Error())
		return
	}
	defer body.Close()
	for k, v := range head.Header {
		w.Header()[k] = v
	}
	w.Header().Del("Date")
	modTime, err := http.ParseTime(head.Header.Get("Last-Modified"))
	if err != nil {
		modTime = time.Time{}
	}
	if head.Length >= 0 || r.Header.Get("Range") != "" || r.Method == http.MethodHead {
		// Without a length this waits for the end.
		whole := &honest{ReadSeeker: body}
		c.content(w, r, whole, modTime, state)
		if whole.err != nil {
			panic(http.ErrAbortHandler) // a body that breaks must look broken
		}
		return
	}
	w.Header().Set("X-Cache", state)
	w.Header().Add("Via", "1.1 "+c.Name)
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// honest remembers that reading failed.
type honest struct {
	io.ReadSeeker
	err error
}

// Read implements io.Reader.
func (h *honest) Read(p []byte) (int, error) {
	n, err := h.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}
