package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// crowdedSSH is the fake ssh beside others of its kind: each session writes down how
// many there are. The first ones wait until as many as $SYNK_MEET have met.
const crowdedSSH = `here=$SYNK_WORLD/crowd/$$
mkdir "$here"
tries=0
until [ -e "$SYNK_WORLD/met" ] || [ $tries -gt 200 ]; do
	[ "$(ls "$SYNK_WORLD/crowd" | wc -l)" -lt "$SYNK_MEET" ] || : >"$SYNK_WORLD/met"
	tries=$((tries + 1))
	sleep 0.1
done
ls "$SYNK_WORLD/crowd" | wc -l >>"$SYNK_WORLD/seen"
sh "$SYNK_WORLD/ssh.sh" "$@"
status=$?
rmdir "$here"
exit $status
`

// Peers are asked and served at once, -j of them.
func TestSynkJobs(t *testing.T) {
	t.Parallel()
	hosts := []string{"keel", "phobos", "deimos", "doom"}
	for jobs, meet := range map[string]int{"": 4, "-j1": 1, "-j2": 2} {
		t.Run("jobs"+jobs, func(t *testing.T) {
			t.Parallel()
			w := newFakeWorld(t, hosts...)
			must(t, os.Mkdir(filepath.Join(w.dir, "crowd"), 0o755))
			must(t, os.WriteFile(filepath.Join(w.dir, "crowded.sh"), []byte(crowdedSSH), 0o644))
			w.put("localhost", "file", "newest", 2000) // from elsewhere a copy takes two sessions
			args := []string{"file"}
			for _, h := range hosts {
				args = append(args, "-h", h)
			}
			if jobs != "" {
				args = append(args, jobs)
			}
			cmd := w.command(args...)
			cmd.Env = append(cmd.Env, "RSYNC_RSH=sh "+filepath.Join(w.dir, "crowded.sh"), fmt.Sprintf("SYNK_MEET=%d", meet))
			start(t, cmd).wait().expect(t, 0)
			w.has("file", "newest", append(hosts, "localhost")...)
			seen, err := os.ReadFile(filepath.Join(w.dir, "seen"))
			must(t, err)
			if most := slices.Max(strings.Fields(string(seen))); most != fmt.Sprint(meet) {
				t.Errorf("%s at once, want %d", most, meet)
			}
		})
	}
}
