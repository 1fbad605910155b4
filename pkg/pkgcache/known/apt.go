package known

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"
)

// Bounds of an index in bytes.
const (
	maxIndex = 1 << 30  // unpacked: Debian's largest has a tenth
	maxDict  = 64 << 20 // what unpacking may take: xz -9 needs that
)

var (
	// An index of packages, by name or by hash; Contents and translations have
	// other folders.
	aptIndex   = onUse(`^(.*/)?(?:Packages|Sources)(?:\.gz|\.xz|\.bz2|\.zst)?$`)
	aptByHash  = onUse(`^(.*/)?dists/.+/(?:binary-[^/]+|source)/by-hash/[^/]+/[0-9a-f]+$`)
	aptRelease = onUse(`^(.*/)?(?:In)?Release$`)
)

// IsList reports whether a file of the cache is a list of others.
func IsList(key string) bool {
	return aptIndex().MatchString(key) || aptByHash().MatchString(key) || aptRelease().MatchString(key)
}

// unpack finds out by its first bytes how an index is packed.
func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var out io.Reader = b
	switch {
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		out, err = xz.NewReader(b, maxDict)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		out, err = gzip.NewReader(b)
	case bytes.HasPrefix(head, []byte("BZh")):
		out, err = bzip2.NewReader(b), nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var d *zstd.Decoder
		d, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDict))
		out = d
	default:
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return io.LimitReader(out, maxIndex), nil
}

// listed is a file that an index or a Release names.
type listed struct {
	name   string // relative to what the list is relative to
	size   int64  // bytes, -1 if it does not say
	sha256 string // in hexadecimal
}

// errNotAnIndex: the file has no paragraphs of an index.
var errNotAnIndex = errors.New("this is no index of packages")

// readIndex calls f for each file of a Packages or Sources index (deb822), or of
// a Release.
func readIndex(r io.Reader, f func(listed)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	p := paragraph{f: f}
	any := false
	for s.Scan() {
		line := s.Text()
		switch {
		case line == "":
			p.end()
		case line[0] == ' ' || line[0] == '\t':
			p.more(line)
		default:
			field, value, ok := strings.Cut(line, ":")
			if !ok {
				if any || strings.HasPrefix(line, "-----") {
					continue // a signature around it
				}
				return errNotAnIndex
			}
			any = true
			p.field(strings.ToLower(field), strings.TrimSpace(value))
		}
	}
	p.end()
	if err := s.Err(); err != nil {
		return fmt.Errorf("read an index: %w", err)
	}
	return nil
}

// paragraph is one entry of an index.
type paragraph struct {
	f         func(listed)
	file      listed
	size      string
	directory string
	last      string // the field that a line may go on with
	sums      []listed
}

func (p *paragraph) field(name, value string) {
	p.last = name
	switch name {
	case "filename":
		p.file.name = value
	case "size":
		p.size = value
	case "sha256":
		p.file.sha256 = value // of a Release: empty, lines follow
	case "directory":
		p.directory = value
	}
}

// more takes " SUM SIZE NAME".
func (p *paragraph) more(line string) {
	if p.last != "checksums-sha256" && p.last != "sha256" {
		return
	}
	w := strings.Fields(line)
	if len(w) != 3 {
		return
	}
	if n, err := strconv.ParseInt(w[1], 10, 64); err == nil && n >= 0 {
		p.sums = append(p.sums, listed{name: w[2], size: n, sha256: w[0]})
	}
}

func (p *paragraph) end() {
	if p.file.name != "" && p.file.sha256 != "" {
		p.file.size = -1
		if n, err := strconv.ParseInt(p.size, 10, 64); err == nil && n >= 0 {
			p.file.size = n
		}
		p.f(p.file)
	}
	for _, l := range p.sums {
		l.name = path.Join(p.directory, l.name)
		p.f(l)
	}
	*p = paragraph{f: p.f}
}

// base is what the names in an index are relative to: what lies above dists, or,
// of a flat repository, the index's own folder.
func base(key string) string {
	if i := strings.LastIndex("/"+key, "/dists/"); i >= 0 {
		return key[:i]
	}
	return strings.TrimPrefix(path.Dir(key)+"/", "./")
}

// readAptIndex makes a table of an index of the cache; its names are keys.
func readAptIndex(key string, r io.Reader) (*table, error) {
	plain, err := unpack(r)
	if err != nil {
		return nil, err
	}
	t := &table{}
	origin, above := t.origin("index "+key), base(key)
	flat := !strings.Contains("/"+key, "/dists/")
	err = readIndex(plain, func(l listed) {
		name := path.Join(above, l.name)
		t.add(origin, name, l.size, algorithm("SHA256"), l.sha256)
		// A flat repository's names may be relative to the folder above.
		if dir := path.Base(above); flat && strings.HasPrefix(l.name, dir+"/") {
			t.add(origin, path.Join(path.Dir(strings.TrimSuffix(above, "/")), l.name), l.size, algorithm("SHA256"), l.sha256)
		}
	})
	t.sort()
	return t, err
}

// readRelease makes a table of the files by hash that a Release names.
func readRelease(key string, r io.Reader) (*table, error) {
	t := &table{}
	origin, dir := t.origin(key), path.Dir(key)
	err := readIndex(io.LimitReader(r, maxIndex), func(l listed) {
		t.add(origin, path.Join(dir, path.Dir(l.name), "by-hash/SHA256", l.sha256), l.size, algorithm("SHA256"), l.sha256)
	})
	t.sort()
	return t, err
}
