package daemon_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// converterScript answers from a table in its first argument's folder and keeps
// what it was asked, and its environment, beside it.
const converterScript = `env | grep ^RSYNC_ | grep -v RSYNC_PID | sort > "$1/env"
while IFS= read -r line; do
	echo "$line" >> "$1/asked"
	case $line in
	"uid 1001") echo bin;;
	"gid 1001") echo sys;;
	"uid 1002") echo nobody-here;;
	"uid 1003") exit 7;;
	"uid 1004") head -c 5000 /dev/zero | tr '\000' x; echo;;
	"usr daemon") echo 4001;;
	"grp daemon") echo 4002;;
	"usr games") printf '4003\r\n';;
	"usr man") echo 42x;;
	"usr lp") echo ' 42';;
	"usr mail") echo -5;;
	"usr news") echo 99999999999;;
	"usr mapped") echo 4004;;
	*) echo;;
	esac
done
`

const converterConf = `read only = no
name converter = sh @DIR@/converter @DIR@
[m]
path = @DIR@/m
[inner]
path = @DIR@/m
use chroot = @CHROOT@
[numeric]
path = @DIR@/m
numeric ids = yes
[other]
path = @DIR@/m
uid = nobody
gid = *
[dead]
path = @DIR@/m
name converter = exit 3
[missing]
path = @DIR@/m
name converter = @DIR@/no/such
`

func (p *place) converter() (text string) {
	p.write(map[string]string{"converter": converterScript, "m/a": "a", "m/b": "b", "s/a": "a", "d/": ""})
	for _, n := range strings.Fields("games man lp mail news") {
		p.write(map[string]string{"s/" + n: n})
	}
	chroot := "no"
	if os.Geteuid() == 0 {
		chroot = "yes"
		p.must(os.Chown(p.path("m/a"), 1001, 1001))
		p.must(os.Chown(p.path("m/b"), 1002, 1002))
		p.must(os.Chown(p.path("s/a"), 1, 1)) // daemon on every Debian
		for n, id := range map[string]int{"games": 5, "man": 6, "lp": 7, "mail": 8, "news": 9} {
			p.must(os.Chown(p.path("s/"+n), id, 0))
		}
	}
	return strings.ReplaceAll(p.conf(converterConf), "@CHROOT@", chroot)
}

// owners lists whom files belong to.
func (p *place) owners(name string) string {
	var b strings.Builder
	p.must(filepath.WalkDir(p.path(name), func(full string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			st := info.Sys().(*syscall.Stat_t)
			fmt.Fprintln(&b, d.Name(), st.Uid, st.Gid)
		}
		return err
	}))
	return b.String()
}

// TestNameConverter: the program is asked what C rsync's daemon asks it, is told
// what it tells it, and its answers count as much.
func TestNameConverter(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"-a|@URL@/m/|d/", "-a|@URL@/inner/|d/", "-a|@URL@/inner/a|@URL@/inner/no*|d/", "-a|@URL@/other/|d/", "-a|@URL@/numeric/|d/", "-a|--numeric-ids|@URL@/m/|d/", "-a|--no-i-r|@URL@/m/|d/",
		"-a|s/|@URL@/m/", "-a|s/|@URL@/inner/", "-a|s/|@URL@/numeric/", "-a|--usermap=daemon:mapped,*:mapped|s/|@URL@/m/",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 && strings.Contains(args, "other") {
				return // an ordinary user's daemon refuses it: TestWorker
			}
			run := func(p *place, addr string) string {
				_, code := p.rsync(addr, strings.Split(args, "|")...)
				asked := strings.Split(p.read("asked"), "\n")
				slices.Sort(asked)
				asked = slices.Compact(asked) // C rsync may ask again
				env := strings.ReplaceAll(p.read("env"), p.dir, "@DIR@")
				if strings.Contains(args, "numeric") {
					env = "" // it may be ended before it writes that down
				}
				return fmt.Sprint(code, asked, env, p.owners("m"), p.owners("d"))
			}
			theirs, ours := newPlace(t), newPlace(t)
			want := run(theirs, theirs.debian(theirs.converter()))
			if d := cmp.Diff(want, run(ours, ours.ours(ours.converter(), nil).addr)); d != "" {
				t.Errorf("C rsync's daemon (-) and ours (+):\n%s", d)
			}
		})
	}
}

// TestNameConverterFails: without answers the session ends, as with C rsync's
// daemon, and the log tells why.
func TestNameConverterFails(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.ours(p.converter(), nil)
	for _, c := range []struct {
		module, why string
		uid         int
	}{{"dead", "it has ended without an answer", 0}, {"missing", "it has ended without an answer", 0}, {"m", "it has ended without an answer", 1003}, {"m", "a line of more than 1024 bytes", 1004}} {
		if c.uid != 0 {
			if os.Geteuid() != 0 {
				continue
			}
			p.must(os.Chown(p.path("m/b"), c.uid, 0))
		}
		out, code := p.rsync(s.addr, "-a", "@URL@/"+c.module+"/", "d/")
		if code == 0 {
			t.Errorf("%s: code %d, %s", c.module, code, out)
		}
		eventually(t, "a line in the log", func() bool { return strings.Contains(s.log.String(), "the name converter has failed: "+c.why) })
	}
}
