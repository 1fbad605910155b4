package daemon_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hookConf has a module for each way that a command may go.
const hookConf = `lock file = @DIR@/lock
[ok]
path = @DIR@/mod
early exec = env | grep ^RSYNC_ | sort > @DIR@/early; cat > @DIR@/input
pre-xfer exec = echo not shown; env | grep ^RSYNC_ | sort > @DIR@/pre
post-xfer exec = env | grep ^RSYNC_ | sort > @DIR@/post
[other]
path = @DIR@/mod
uid = nobody
gid = *
post-xfer exec = env | grep ^RSYNC_ | sort > @DIR@/post
[no]
path = @DIR@/mod
pre-xfer exec = echo no way; echo at all; exit 3
post-xfer exec = echo $RSYNC_EXIT_STATUS > @DIR@/post
[quiet]
path = @DIR@/mod
pre-xfer exec = exit 4
[early]
path = @DIR@/mod
early exec = exit 1
post-xfer exec = echo $RSYNC_EXIT_STATUS $RSYNC_RAW_STATUS > @DIR@/post
[value]
path = @DIR@/mod
pre-xfer exec = echo %RSYNC_MODULE_NAME% %RSYNC_HOST_ADDR% > @DIR@/pre
[space]
path = @DIR@/m od
pre-xfer exec = echo %RSYNC_MODULE_PATH% > @DIR@/pre
[quoted]
path = @DIR@/m od
pre-xfer exec = echo "$RSYNC_MODULE_PATH" > @DIR@/pre
[made]
path = @DIR@/made
early exec = mkdir @DIR@/made
[behind]
path = @DIR@
pre-xfer exec = sleep 3 &
`

// TestHooks: the commands around a transfer get what C rsync's daemon gives
// them, and what they say counts.
func TestHooks(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"-r|@URL@/ok/f|@URL@/ok/none|d/", "-r|--early-input=@DIR@/in|@URL@/ok/|d/", "-r|@URL@/other/none|d/", "-r|@URL@/no/|d/",
		"-r|@URL@/quiet/|d/", "-r|@URL@/early/|d/", "-r|@URL@/value/|d/", "-r|@URL@/space/|d/", "-r|@URL@/quoted/|d/",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 && strings.Contains(args, "other") {
				return // TestWorker shows what happens
			}
			run := func(p *place, addr string) string {
				out, code := p.rsync(addr, strings.Split(args, "|")...)
				if strings.Contains(args, "/no/") || strings.Contains(args, "quiet") || strings.Contains(args, "space") {
					code = min(code, 1) // C rsync's daemon may have closed before it is heard
				}
				if strings.Contains(args, "ok") || strings.Contains(args, "other") || strings.Contains(args, "/no/") || strings.Contains(args, "early/") {
					eventually(p, "the last command", func() bool { return p.read("post") != "" })
				}
				out = regexp.MustCompile(`(?m)^(rsync|link_stat|pre-xfer exec failed).*\n`).ReplaceAllString(out, "")
				text := fmt.Sprint(code, out, "\n", p.tree("d"), p.read("early"), p.read("pre"), p.read("post"), p.read("input"))
				text = regexp.MustCompile(`RSYNC_PID=\d+|RSYNC_ARG\d=-r?e[.a-zA-Z]*`).ReplaceAllString(text, "")
				return strings.ReplaceAll(text, p.dir, "@DIR@")
			}
			files := map[string]string{"mod/f": "x", "m od/g": "y", "d/": "", "in": "early words\n"}
			theirs, ours := newPlace(t).write(files), newPlace(t).write(files)
			want := run(theirs, theirs.debian(theirs.conf(hookConf)))
			if d := cmp.Diff(want, run(ours, ours.ours(ours.conf(hookConf), nil).addr)); d != "" {
				t.Errorf("C rsync's daemon (-) and ours (+):\n%s", d)
			}
		})
	}
	p := newPlace(t)
	s := p.ours(p.conf(hookConf), nil)
	if out, code := p.rsync(s.addr, "@URL@/behind/"); code != 0 {
		t.Errorf("a command leaves another one behind: code %d, %s", code, out)
	}
	if out, code := p.rsync(s.addr, "@URL@/made/"); code != 0 {
		t.Errorf("a folder that the first command makes: code %d, %s", code, out)
	}
}
