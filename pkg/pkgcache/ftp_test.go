package pkgcache

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
)

// ftpServer runs pyftpdlib over a folder and returns its address.
func ftpServer(t *testing.T, dir string) string {
	t.Helper()
	port := ownport.Hold(t)
	cmd := exec.Command("/usr/bin/python3", "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-d", dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		select {
		case <-gone:
			t.Fatalf("the FTP server does not run: %s", &out)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("the FTP server does not answer")
		}
	}
}

// A file of an FTP server becomes a file of the cache; a part of it is gone on
// with.
func TestFTP(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.tar"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	modified := time.Date(2009, 12, 10, 12, 0, 0, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "f.tar"), modified, modified); err != nil {
		t.Fatal(err)
	}
	address := ftpServer(t, dir)
	way := &http.Transport{}
	way.RegisterProtocol("ftp", &FTP{Dial: (&net.Dialer{}).DialContext})
	client := &http.Client{Transport: way}
	ask := func(method, name string, header ...string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "ftp://"+address+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, body
	}
	stamp := modified.Format(http.TimeFormat)
	resp, body := ask("GET", "/f.tar")
	if resp.StatusCode != 200 || !bytes.Equal(body, text) || resp.ContentLength != int64(len(text)) || resp.Header.Get("Last-Modified") != stamp {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(body), resp.Header)
	}
	resp, body = ask("GET", "/f.tar", "Range", "bytes=100000-", "If-Range", stamp)
	if resp.StatusCode != 206 || !bytes.Equal(body, text[100_000:]) || resp.Header.Get("Content-Range") != "bytes 100000-159999/160000" {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(body), resp.Header)
	}
	if resp, body = ask("GET", "/f.tar", "Range", "bytes=100000-", "If-Range", "Thu, 10 Dec 2009 12:00:01 GMT"); resp.StatusCode != 200 || !bytes.Equal(body, text) {
		t.Errorf("changed: %d, %d bytes", resp.StatusCode, len(body))
	}
	if resp, _ = ask("GET", "/f.tar", "If-Modified-Since", stamp); resp.StatusCode != 304 {
		t.Errorf("current: %d", resp.StatusCode)
	}
	if resp, body = ask("HEAD", "/f.tar"); resp.StatusCode != 200 || resp.ContentLength != int64(len(text)) || len(body) > 0 {
		t.Errorf("HEAD: %d", resp.StatusCode)
	}
	for name, code := range map[string]int{"/none": 404, "/": 400, "/x%0d%0aDELE%20f.tar": 400} {
		if resp, _ = ask("GET", name); resp.StatusCode != code {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if resp, _ = ask("DELETE", "/f.tar"); resp.StatusCode != 405 {
		t.Errorf("DELETE: %d", resp.StatusCode)
	}

	h := newHouse(t)
	h.Fills.Client = client
	req, err := http.NewRequestWithContext(t.Context(), "GET", "ftp://"+address+"/f.tar", nil)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := h.Fills.Get(fill.Request{Key: "f.tar", URLs: []*url.URL{req.URL}})
	defer f.Release()
	if err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := h.Store.Get("f.tar")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if b, err := io.ReadAll(o); err != nil || !bytes.Equal(b, text) || !o.ModTime.Equal(modified) {
		t.Errorf("%d bytes of %v, %v", len(b), o.ModTime, err)
	}
}

// scripted is an FTP server that says what a test has it say: the lines by
// command, "" for the greeting. Data go to whoever connects.
func scripted(t *testing.T, says map[string]string, data string) string {
	t.Helper()
	var lns [2]net.Listener
	for i := range lns {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		lns[i] = ln
	}
	go func() {
		for {
			c, err := lns[1].Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, data)
			c.Close()
		}
	}()
	serve := func(c net.Conn) {
		defer c.Close()
		lines := bufio.NewScanner(c)
		for word := ""; ; {
			text, ok := says[word]
			if !ok {
				text = "200 fine"
			}
			if text == "endless" {
				for n, err := 0, error(nil); err == nil && n < 100; n++ { // a tenth of what it wants to say
					_, err = c.Write(bytes.Repeat([]byte("220-"), 25_000))
				}
				return
			}
			text = strings.ReplaceAll(text, "PORT", fmt.Sprint(lns[1].Addr().(*net.TCPAddr).Port))
			if text != "silent" {
				_, _ = io.WriteString(c, text+"\r\n")
			}
			if !lines.Scan() {
				return
			}
			word, _, _ = strings.Cut(lines.Text(), " ")
		}
	}
	go func() {
		for {
			c, err := lns[0].Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return lns[0].Addr().String()
}

// A server that is silent, talks without end, cuts off or points elsewhere costs
// neither memory nor patience, and what it sends is not taken for whole.
func TestHostileFTP(t *testing.T) {
	fine := map[string]string{"": "220 hello", "USER": "331 password", "PASS": "230 in", "EPSV": "229 data (|||PORT|)", "RETR": "150 comes"}
	for name, c := range map[string]struct {
		says map[string]string
		want string // in the error; "": the body comes
	}{
		"silent":        {map[string]string{"": "silent"}, "i/o timeout"},
		"silent later":  {map[string]string{"SIZE": "silent"}, "i/o timeout"},
		"endless":       {map[string]string{"": "endless"}, "says too much"},
		"endless later": {map[string]string{"SIZE": "endless"}, "says too much"},
		"busy":          {map[string]string{"": "421 too many"}, "421"},
		"no login":      {map[string]string{"PASS": "530 no"}, "530"},
		"cut":           {map[string]string{"SIZE": "213 9", "RETR": "150 comes\r\n226 all"}, "unexpected EOF"},
		"cut, it says":  {map[string]string{"SIZE": "502 what?", "RETR": "150 comes\r\n426 cut"}, "unexpected EOF"},
		"huge size":     {map[string]string{"SIZE": "213 99999999999999999999", "RETR": "150 comes\r\n226 all"}, ""},
		"minus":         {map[string]string{"SIZE": "213 -5", "RETR": "150 comes\r\n226 all"}, ""},
		"elsewhere":     {map[string]string{"EPSV": "500 what?", "PASV": "227 (192,0,2,1,0,9)"}, "connect"},
		"whole":         {map[string]string{"SIZE": "213 5", "RETR": "150 comes\r\n226 all"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			says := maps.Clone(fine)
			maps.Copy(says, c.says)
			way := &FTP{Dial: (&net.Dialer{}).DialContext}
			if c.want == "i/o timeout" {
				way.Timeout = 20 * time.Millisecond
			}
			req, err := http.NewRequestWithContext(t.Context(), "GET", "ftp://"+scripted(t, says, "hello")+"/f.tar", nil)
			if err != nil {
				t.Fatal(err)
			}
			var body []byte
			resp, err := way.RoundTrip(req)
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			switch {
			case c.want == "" && (err != nil || string(body) != "hello"):
				t.Errorf("%q, %v", body, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%q, %v; want %q", body, err, c.want)
			}
		})
	}
}
