package interop

import (
	"bytes"
	"compress/gzip"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// shownBy names, for each parameter of rsyncd.conf, the package and the test that
// show what it does, most of them with rsync 3.5.0 as the client and as the
// daemon to compare with.
func shownBy() map[string][2]string {
	const (
		daemon = "pkg/rsync/daemon"
		serve  = "cmd/empegsync"
	)
	return map[string][2]string{
		"address":                 {daemon, "TestListen"},
		"auth digest":             {daemon, "TestAccess"},
		"auth users":              {daemon, "TestAccess"},
		"bandwidth":               {daemon, "TestBandwidth"},
		"bandwidth per address":   {daemon, "TestBandwidth"},
		"charset":                 {"pkg/rsync/interop", "TestIconvModule"},
		"comment":                 {daemon, "TestAsRsync"},
		"connections per address": {daemon, "TestConnectionLimits"},
		"daemon chroot":           {serve, "TestDaemonChroot"},
		"daemon gid":              {serve, "TestServeAsSomebody"},
		"daemon uid":              {serve, "TestServeAsSomebody"},
		"dont compress":           {"pkg/rsync/interop", "TestDontCompress"},
		"early exec":              {daemon, "TestHooks"},
		"exclude":                 {daemon, "TestAsRsync"},
		"exclude from":            {daemon, "TestParams"},
		"fake super":              {daemon, "TestParams"},
		"filter":                  {daemon, "TestParams"},
		"forward lookup":          {daemon, "TestAccess"},
		"gid":                     {daemon, "TestWorker"},
		"hosts allow":             {daemon, "TestAccess"},
		"hosts deny":              {daemon, "TestAccess"},
		"ignore errors":           {daemon, "TestParams"},
		"ignore nonreadable":      {daemon, "TestParams"},
		"include":                 {daemon, "TestAsRsync"},
		"include from":            {daemon, "TestParams"},
		"incoming chmod":          {daemon, "TestParams"},
		"insecure links":          {serve, "TestDaemonLinkOwners"},
		"list":                    {daemon, "TestAsRsync"},
		"listen backlog":          {daemon, "TestListenBacklog"},
		"lock file":               {daemon, "TestSharedLockFile"},
		"log file":                {daemon, "TestWorker"},
		"log format":              {daemon, "TestParams"},
		"log json":                {serve, "TestLogJSON"},
		"max connections":         {daemon, "TestAccess"},
		"max queue":               {daemon, "TestQueue"},
		"max transfer time":       {daemon, "TestMaxTransferTime"},
		"max verbosity":           {daemon, "TestAsRsync"},
		"motd file":               {daemon, "TestAsRsync"},
		"munge symlinks":          {daemon, "TestParams"},
		"name converter":          {daemon, "TestNameConverter"},
		"numeric ids":             {daemon, "TestNameConverter"},
		"open noatime":            {daemon, "TestOpenNoatime"},
		"outgoing chmod":          {daemon, "TestParams"},
		"path":                    {daemon, "TestChroot"},
		"pid file":                {serve, "TestServeDocument"},
		"port":                    {daemon, "TestListen"},
		"post-xfer exec":          {daemon, "TestHooks"},
		"pre-xfer exec":           {daemon, "TestHooks"},
		"proxy protocol":          {daemon, "TestProxyProtocol"},
		"proxy protocol hosts":    {daemon, "TestProxyProtocol"},
		"queue time":              {daemon, "TestQueueEnds"},
		"read only":               {daemon, "TestAsRsync"},
		"refuse options":          {daemon, "TestAsRsync"},
		"reverse lookup":          {daemon, "TestAccess"},
		"secrets file":            {daemon, "TestAccess"},
		"socket options":          {daemon, "TestSocketOptions"},
		"status address":          {serve, "TestServeStatus"},
		"status names":            {serve, "TestServeStatus"},
		"strict modes":            {daemon, "TestAccess"},
		"syslog facility":         {serve, "TestSyslogSettings"},
		"syslog tag":              {serve, "TestSyslogSettings"},
		"temp dir":                {daemon, "TestParams"},
		"timeout":                 {daemon, "TestIdleTimeout"},
		"total connections":       {daemon, "TestConnectionLimits"},
		"transfer logging":        {daemon, "TestParams"},
		"uid":                     {daemon, "TestWorker"},
		"use chroot":              {daemon, "TestChroot"},
		"write only":              {daemon, "TestAsRsync"},
	}
}

// refusals shows what is refused, with the line, whatever is named for it.
const refusals = "TestUnsupported"

// TestParameters: each parameter that is there has a test, in a file that
// names it; no parameter of the installed rsyncd.conf(5) is missing.
func TestParameters(t *testing.T) {
	t.Parallel()
	shown := shownBy()
	var known []string
	for _, p := range conf.Params() {
		known = append(known, p.Name)
		by, ok := shown[p.Name]
		delete(shown, p.Name)
		switch {
		case !p.Supported():
			by = [2]string{"pkg/rsync/conf", refusals}
		case !ok:
			t.Errorf("no test is named for %q", p.Name)
			continue
		}
		if file := fileOf(t, by[0], by[1]); file == "" {
			t.Errorf("%q: %s has no %s", p.Name, by[0], by[1])
		} else if p.Supported() && !strings.Contains(folded(file), folded(p.Name)) {
			t.Errorf("%q: the file of %s says nothing of it", p.Name, by[1])
		}
	}
	for name := range shown {
		t.Errorf("%q is no parameter", name)
	}
	for _, name := range documented(t) {
		if !slices.Contains(known, name) {
			t.Errorf("rsyncd.conf(5) has %q", name)
		}
	}
}

func folded(s string) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(strings.ToLower(s))
}

// fileOf returns the text of the file in which a test is, "" if it is nowhere.
func fileOf(t *testing.T, dir, test string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("func "+test+"(")) {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(parsed.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && fn.Recv == nil && fn.Name.Name == test
		}) {
			return string(text)
		}
	}
	return ""
}

// documented lists the parameters of the installed manual page. Where pages are
// not installed (as in small containers) it has none; the table of conf is then
// held by its own tests alone.
func documented(t *testing.T) []string {
	t.Helper()
	packed, err := os.Open("/usr/share/man/man5/rsyncd.conf.5.gz")
	if err != nil {
		t.Log(err)
		return nil
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text[:min(300, len(text))], []byte("rsync 3.5.0")) {
		t.Log("the page is of another release")
		return nil
	}
	_, text, _ = bytes.Cut(text, []byte("GLOBAL PARAMETERS"))
	text, _, _ = bytes.Cut(text, []byte(".SH \"CONFIG DIRECTIVES\""))
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\.IP "\\?f?B?([a-z][a-z \\-]+?)(\\fP)?"`).FindAllSubmatch(text, -1) {
		names = append(names, strings.ReplaceAll(string(m[1]), `\`, ""))
	}
	if len(names) < 55 {
		t.Errorf("only %d parameters are found in the page: %q", len(names), names)
	}
	return names
}
