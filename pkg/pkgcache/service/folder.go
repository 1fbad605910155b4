package service

import (
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// folder publishes a folder for direct use: files and listings. Hidden names,
// links and what is no regular file are not there.
type folder struct {
	root *os.Root
	more []string // names to list beside what is in the folder
}

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("publish a folder: %w", err)
	}
	return &folder{root: root}, nil
}

// ServeHTTP implements http.Handler.
func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "empegsync cache: files are only read here", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "."
	}
	file, info, err := f.open(name)
	if err != nil {
		code, text := http.StatusNotFound, "there is no such file"
		if errors.Is(err, fs.ErrPermission) {
			code, text = http.StatusForbidden, "the cache may not read this file"
		}
		http.Error(w, "empegsync cache: "+text, code)
		return
	}
	defer file.Close()
	switch {
	case info.IsDir() && !strings.HasSuffix(r.URL.Path, "/"):
		http.Redirect(w, r, path.Base(name)+"/", http.StatusMovedPermanently)
	case info.IsDir():
		f.list(w, r, file, name)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", info.ModTime(), file)
	}
}

// open opens a regular file or a folder, none of them hidden or behind a link.
func (f *folder) open(name string) (*os.File, fs.FileInfo, error) {
	missing := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	if name != "." {
		way := ""
		for part := range strings.SplitSeq(name, "/") {
			way = path.Join(way, part)
			// A root follows links that stay below it, and so to what is hidden.
			info, err := f.root.Lstat(way)
			if strings.HasPrefix(part, ".") || err == nil && info.Mode().Type() == fs.ModeSymlink {
				return nil, nil, missing
			}
		}
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = missing
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// list lists a folder.
func (f *folder) list(w http.ResponseWriter, r *http.Request, dir *os.File, name string) {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		http.Error(w, "empegsync cache: the folder cannot be read", http.StatusInternalServerError)
		return
	}
	var names []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			names = append(names, e.Name()+"/")
		case e.Type().IsRegular():
			names = append(names, e.Name())
		}
	}
	if name == "." {
		for _, m := range f.more {
			if !slices.Contains(names, m+"/") {
				names = append(names, m+"/")
			}
		}
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if r.Method == http.MethodHead {
		return
	}
	title := html.EscapeString("/" + strings.TrimPrefix(name, "."))
	fmt.Fprintf(w, "<!doctype html><meta name=viewport content=\"width=device-width\"><title>%s</title><h1>%[1]s</h1>\n<ul>\n", title)
	if name != "." {
		fmt.Fprintln(w, `<li><a href="../">..</a></li>`)
	}
	for _, n := range names {
		fmt.Fprintf(w, "<li><a href=\"%s\">%s</a></li>\n", (&url.URL{Path: "./" + n}).EscapedPath(), html.EscapeString(n))
	}
	fmt.Fprintln(w, "</ul>")
}
