package pkgcache

import (
	"io"
	"net/http"
	"os"
	"time"
)

// steadyWriter gives up on a client that takes nothing for a while. It keeps
// the way open for the kernel to send files by itself.
type steadyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

func newSteadyWriter(w http.ResponseWriter, stall time.Duration) *steadyWriter {
	if stall == 0 {
		stall = 5 * time.Minute
	}
	return &steadyWriter{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
}

// Unwrap is for http.ResponseController.
func (s *steadyWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Flush implements http.Flusher.
func (s *steadyWriter) Flush() { _ = s.control.Flush() }

func (s *steadyWriter) extend() {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.stall)) // a recorder in a test has none
}

// Write implements io.Writer.
func (s *steadyWriter) Write(p []byte) (int, error) {
	s.extend()
	return s.ResponseWriter.Write(p)
}

// stretch is how many bytes of a file go between two looks at the clock.
const stretch = 4 << 20

// ReadFrom implements io.ReaderFrom. The reader below a limit is handed on as
// it is, so that a file stays a file for sendfile(2).
func (s *steadyWriter) ReadFrom(r io.Reader) (n int64, err error) {
	lim, limited := r.(*io.LimitedReader)
	if !limited {
		lim = &io.LimitedReader{R: r, N: 1<<63 - 1}
	}
	if _, file := lim.R.(*os.File); !file {
		// Bytes may come slowly: the time is the client's for each piece alone.
		return io.Copy(struct{ io.Writer }{s}, lim)
	}
	for lim.N > 0 {
		s.extend()
		part := &io.LimitedReader{R: lim.R, N: min(lim.N, stretch)}
		m, err := io.Copy(s.ResponseWriter, part)
		n += m
		lim.N -= m
		if err != nil || part.N > 0 { // the file's end
			return n, err
		}
	}
	return n, nil
}
