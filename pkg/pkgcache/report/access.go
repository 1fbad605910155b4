package report

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Watch passes requests on to next, and notes what came of them. log gets a line
// of the common log format for each; nil: nothing does.
func (b *Book) Watch(next http.Handler, log io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counter{ResponseWriter: w, code: http.StatusOK}
		start := b.now()
		defer func() { // also when a broken body ends the answer
			b.Answered(c.Header().Get("X-Cache"), c.bytes)
			if log != nil {
				_, _ = io.WriteString(log, line(r, start, c.code, c.bytes))
			}
		}()
		next.ServeHTTP(c, r)
	})
}

// line is "HOST - USER [TIME] "REQUEST" CODE BYTES".
func line(r *http.Request, at time.Time, code int, bytes int64) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = "-"
	}
	size := "-"
	if bytes > 0 {
		size = strconv.FormatInt(bytes, 10)
	}
	uri := r.RequestURI
	if r.URL.User != nil {
		uri = r.URL.Redacted() // a password is nobody's business
	}
	return fmt.Sprintf("%s - - [%s] \"%s %s %s\" %d %s\n", host, at.Format("02/Jan/2006:15:04:05 -0700"), plain(r.Method), plain(uri), plain(r.Proto), code, size)
}

// plain escapes what would end the field or the line.
func plain(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// counter counts an answer's bytes. It keeps the way open for the kernel to send
// files by itself.
type counter struct {
	http.ResponseWriter
	code  int
	bytes int64
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (c *counter) WriteHeader(code int) {
	if code >= 200 {
		c.code = code
	}
	c.ResponseWriter.WriteHeader(code)
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (c *counter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}
