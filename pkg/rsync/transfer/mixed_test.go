package transfer

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// A file changes while it is sent, when a part of it is on its way.
func TestFileChangesMidway(t *testing.T) {
	const size = 200_000
	as, bs := strings.Repeat("a", size), strings.Repeat("b", size)
	tests := []struct {
		name    string
		basis   string // at the destination
		appends options.AppendMode
		changes int // in how many passes
		change  func(f string) error
		want    string
		sent    int // times, not counting what is sent as a difference
	}{
		{"rewritten", "", 0, 1, func(f string) error { return os.WriteFile(f, []byte(bs), 0o644) }, bs, 2},
		{"rewritten longer", "", 0, 1, func(f string) error { return os.WriteFile(f, []byte(bs+bs), 0o644) }, bs + bs, 2},
		{"appended to", "", 0, 1, func(f string) error { return appendTo(f, bs) }, as, 1},
		{"cut off", "", 0, 1, func(f string) error { return os.Truncate(f, size/2+1) }, as[:size/2+1], 2},
		{"touched", "", 0, 1, func(f string) error { return os.WriteFile(f, []byte(as), 0o644) }, as, 1},
		{"replaced", "", 0, 1, func(f string) error { return replaced(f, bs) }, as, 1},
		{"its end rewritten", as[:100], options.AppendTrust, 1, func(f string) error { return os.WriteFile(f, []byte(bs), 0o644) }, bs, 1},
		{"its end appended to", as[:100], options.AppendTrust, 1, func(f string) error { return appendTo(f, bs) }, as, 1},
		{"verified, its end appended to", as[:100], options.AppendVerify, 1, func(f string) error { return appendTo(f, bs) }, as, 1},
	}
	for _, version := range []int{26, 28, 31} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(version, " ", tt.name), func(t *testing.T) {
				p := newPair(t)
				p.version = version
				p.opt.Append, p.opt.Inplace = tt.appends, tt.appends != options.AppendNo
				p.file(p.src+"/f", as, 0)
				if tt.basis != "" {
					p.file(p.dst+"/f", tt.basis, 0)
				}
				times := 0
				p.onData = func(_ *filelist.Entry, sent int64) {
					if sent > proto.LiteralChunk {
						return
					}
					if times++; times > tt.changes {
						return
					}
					if err := tt.change(p.src + "/f"); err != nil {
						t.Error(err)
					}
				}
				p.mustRun()
				if got := p.content(p.dst + "/f"); got != tt.want {
					t.Errorf("%d bytes arrive, 'b' from %d; want %d, from %d", len(got), strings.IndexByte(got, 'b'), len(tt.want), strings.IndexByte(tt.want, 'b'))
				}
				if times != tt.sent {
					t.Errorf("sent %d times, want %d", times, tt.sent)
				}
			})
		}
	}
}

// What changes whenever it is sent arrives with an error.
func TestFileNeverKeepsStill(t *testing.T) {
	p := newPair(t)
	letter := byte('a')
	next := func() string { letter++; return strings.Repeat(string(letter), 200_000) }
	p.file(p.src+"/f", next(), 0)
	p.onData = func(_ *filelist.Entry, sent int64) {
		if sent == proto.LiteralChunk {
			if err := os.WriteFile(p.src+"/f", []byte(next()), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	p.run(context.Background())
	if got := proto.ExitCode(p.sendErr); got != proto.ExitPartial {
		t.Errorf("the sending side ends with %v (%v)", got, p.sendErr)
	}
	if got := proto.ExitCode(p.recvErr); got != proto.ExitPartial {
		t.Errorf("the receiving side ends with %v (%v)", got, p.recvErr)
	}
	if got := p.content(p.dst + "/f"); len(got) != 200_000 {
		t.Errorf("%d bytes have arrived", len(got))
	}
	if heard := strings.Join(p.heard, "\n"); !strings.Contains(heard, "changed twice") {
		t.Errorf("nobody says why:\n%s", heard)
	}
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func replaced(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
