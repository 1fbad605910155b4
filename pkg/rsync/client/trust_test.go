package client

import (
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// TestDistrust: a server may send what was asked for and nothing else.
func TestDistrust(t *testing.T) {
	for _, tt := range []struct {
		line   string // options and remote paths
		names  string // of --files-from
		fine   string // a slash behind marks folders
		refuse string
	}{
		{"-r h:a/b", "", "b/ b/c b/c/d", "a bb c b2/x .bashrc"},
		{"-r h:a/b/", "", "x x/y", ""},
		{"h:a/b h:x/c", "", "b c", "a x b/c d"},
		{"-d h:a/", "", "x y/", "x/y"},
		{"-d h:a", "", "a/ a/x", "a/x/y b"},
		{"-rR h:a/b/c", "", "a/ a/b/ a/b/c a/b/c/d", "a a/x b a/b"},
		{"-rR h:a/./b/c", "", "b/ b/c b/c/d", "a a/b b"},
		{"-r h:a/*.c", "", "x.c y.c/z", "x.h x.cc"},
		{"-r h:a[12]", "", "a1 a2/b a[12]", "a3 a"},
		{"-r h:[!x]y", "", "ay", "xy"},
		{"-rR h:a*/b", "", "ax/ ax/b ax/b/c", "bx ax ax/c"},
		{"-r -f-_secret h:a/", "", "x", "secret x/secret"},
		{"-rR -f-_b h:a/b/c", "", "a/ a/b/ a/b/c", "a/b/c/b"},
		{"-r -F h:a/", "", "secret", ""},
		{"--files-from=- h:base", "a/b\nc/", "a/ a/b c/ c/x", "a/c b c/x/y"},
		{"-r --trust-sender h:a", "", "anything", ""},
		{"-r h:", "", "anything at/all", ""},
	} {
		words := append(strings.Fields(tt.line), "dst")
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "_", " ")
		}
		opt, err := options.Parse(words)
		if err != nil {
			t.Fatal(err)
		}
		route, err := ParseRoute(opt.Args)
		if err != nil {
			t.Fatal(err)
		}
		rules := filter.New(filter.Options{})
		for _, r := range opt.Rules {
			if err := rules.Add(r.Text); err != nil {
				t.Fatal(err)
			}
		}
		check := (&Client{Options: opt}).distrust(route.From, strings.FieldsFunc(tt.names, func(r rune) bool { return r == '\n' }), rules)
		for i, list := range []string{tt.fine, tt.refuse} {
			for _, name := range strings.Fields(list) {
				e := &filelist.Entry{Mode: filelist.ModeFile}
				if strings.HasSuffix(name, "/") {
					e.Mode = filelist.ModeDir
				}
				e.SetPath(strings.TrimSuffix(name, "/"))
				var err error
				if check != nil {
					err = check(e)
				}
				if (err != nil) != (i == 1) {
					t.Errorf("%s: %q: %v", tt.line, name, err)
				}
			}
		}
	}
}
