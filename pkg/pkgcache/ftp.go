package pkgcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"
)

// FTP asks FTP servers, for http.Transport.RegisterProtocol: GET and HEAD of
// files, by SIZE, MDTM, REST and RETR in passive mode, as anonymous or as the URL
// says. The request's context ends everything.
type FTP struct {
	// Dial is for the control connection. Data come from the same address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is how long the server may send nothing. 0: two minutes.
	Timeout time.Duration

	// dialData is for data connections; nil: a net.Dialer's.
	dialData func(ctx context.Context, network, address string) (net.Conn, error)
}

// maxControl bounds what a server may say on its control connection, in bytes:
// its lines are read whole.
const maxControl = 256 << 10

// RoundTrip implements http.RoundTripper.
func (f *FTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ftpAnswer(r, http.StatusMethodNotAllowed, nil, 0), nil
	}
	name := path.Clean("/" + r.URL.Path)
	if strings.ContainsAny(name, "\r\n\x00") || strings.HasSuffix(r.URL.Path, "/") {
		return ftpAnswer(r, http.StatusBadRequest, nil, 0), nil
	}
	conn, err := f.login(r.Context(), r.URL)
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w", r.URL.Host, err)
	}
	resp, err := f.get(r, conn, name)
	if err != nil || resp.Body == http.NoBody {
		_ = conn.Quit()
	}
	return resp, err
}

func (f *FTP) login(ctx context.Context, u *url.URL) (*ftp.ServerConn, error) {
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "21")
	}
	conn, err := ftp.Dial(address, ftp.DialWithDialFunc(f.dial(ctx)))
	if err != nil {
		return nil, err
	}
	user, password := "anonymous", "anonymous@"
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	if err := conn.Login(user, password); err != nil {
		_ = conn.Quit()
		return nil, err
	}
	return conn, nil
}

// dial connects the control connection as the rules have it, and data
// connections to the same address only: a server cannot lead us elsewhere.
func (f *FTP) dial(ctx context.Context) func(network, address string) (net.Conn, error) {
	timeout := f.Timeout
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	dialData := f.dialData
	if dialData == nil {
		dialData = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	}
	var host string
	return func(network, address string) (net.Conn, error) {
		if host == "" {
			c, err := f.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
			host, _, err = net.SplitHostPort(c.RemoteAddr().String())
			return &ftpConn{Conn: c, timeout: timeout, left: maxControl}, err
		}
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		c, err := dialData(ctx, network, net.JoinHostPort(host, port))
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = c.Close() })
		return &ftpConn{Conn: c, timeout: timeout, left: math.MaxInt64}, nil
	}
}

// ftpConn is a connection whose other end may neither be silent for long nor
// send without end.
type ftpConn struct {
	net.Conn
	timeout time.Duration
	left    int64 // bytes that may still come
}

// Read implements io.Reader.
func (c *ftpConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the FTP server says too much")
	}
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// get asks for a file. Fields of the request that are understood: Range
// "bytes=N-" with If-Range, and If-Modified-Since.
func (f *FTP) get(r *http.Request, conn *ftp.ServerConn, name string) (*http.Response, error) {
	h := http.Header{}
	size, err := conn.FileSize(name)
	if status := ftpStatus(err); status != 0 {
		return ftpAnswer(r, status, nil, 0), nil
	} else if err != nil {
		size = -1 // it may not know the command
	}
	if t, err := conn.GetTime(name); err == nil {
		h.Set("Last-Modified", t.UTC().Format(http.TimeFormat))
	}
	modified := h.Get("Last-Modified")
	if modified != "" && r.Header.Get("If-Modified-Since") == modified {
		return ftpAnswer(r, http.StatusNotModified, h, 0), nil
	}
	from, code := int64(0), http.StatusOK
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && size > 0 && modified != "" && r.Header.Get("If-Range") == modified {
		n, err := strconv.ParseInt(strings.TrimSuffix(text, "-"), 10, 64)
		if err == nil && strings.HasSuffix(text, "-") && n > 0 && n < size {
			from, code = n, http.StatusPartialContent
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, size-1, size))
		}
	}
	resp := ftpAnswer(r, code, h, max(size-from, -1))
	if r.Method == http.MethodHead {
		return resp, nil
	}
	body, err := conn.RetrFrom(name, uint64(from))
	if status := ftpStatus(err); status != 0 {
		return ftpAnswer(r, status, nil, 0), nil
	} else if err != nil {
		return nil, fmt.Errorf("retrieve %s: %w", name, err)
	}
	resp.Body = &ftpBody{data: body, conn: conn, left: size - from, known: size >= 0}
	if size < 0 {
		// The server's word at the end (226) tells whether that was all: this is
		// framed as a chunked body is.
		resp.TransferEncoding = []string{"chunked"}
	}
	return resp, nil
}

// ftpStatus translates an answer that is about the file; 0: it is not.
func ftpStatus(err error) int {
	var text *textproto.Error
	if errors.As(err, &text) && text.Code == ftp.StatusFileUnavailable {
		return http.StatusNotFound
	}
	return 0
}

func ftpAnswer(r *http.Request, code int, h http.Header, length int64) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	return &http.Response{
		Status: fmt.Sprint(code, " ", http.StatusText(code)), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody, ContentLength: length, Request: r,
	}
}

// ftpBody ends well only if the server says so.
type ftpBody struct {
	data  *ftp.Response
	conn  *ftp.ServerConn
	left  int64
	known bool
	over  error
}

// Read implements io.Reader.
func (b *ftpBody) Read(p []byte) (int, error) {
	if b.over != nil {
		return 0, b.over
	}
	n, err := b.data.Read(p)
	b.left -= int64(n)
	if err == io.EOF {
		// The end of a data connection may be a cut: the reply tells.
		if closed := b.data.Close(); closed != nil || b.known && b.left > 0 {
			err = errors.Join(io.ErrUnexpectedEOF, closed)
		}
	}
	if err != nil {
		b.over = err
	}
	return n, err
}

// Close implements io.Closer.
func (b *ftpBody) Close() error {
	err := b.conn.Quit()
	if b.over == nil {
		_ = b.data.Close() // it does not wait for the server's word: Quit has hung up
	}
	return err
}
