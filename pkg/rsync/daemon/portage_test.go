package daemon_test

import (
	"os"
	"strings"
	"testing"
)

// portageConf is the configuration of a guide to a local portage mirror, but
// for the paths, the network and, for users other than root, what needs root.
const portageConf = `# Restrict the number of connections
max connections = 5
lock file = @DIR@/lock
# Important!! Always use chroot
use chroot = yes
# Just in case you are allowed only read only access
read only = yes
# The user has no privileges
uid = nobody
gid = @GROUP@
# Recommended: Restrict via IP (subnets or just IP addresses)
hosts allow = 127.0.0.0/24
# Everyone else denied
hosts deny  = *
[portage]
path = @DIR@/portage
comment = Gentoo Portage tree
exclude = /distfiles /packages
`

// TestPortage syncs by the command line that emerge uses.
func TestPortage(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{
		"portage/app-misc/foo/foo-1.ebuild": "EAPI=8", "portage/metadata/timestamp": "now", "portage/distfiles/big.tar": "x", "portage/packages/p": "y",
		"tree/app-misc/gone/gone-1.ebuild": "old", "tree/distfiles/mine.tar": "kept",
	})
	text := strings.ReplaceAll(strings.ReplaceAll(portageConf, "@DIR@", p.dir), "@GROUP@", "*")
	if os.Geteuid() != 0 {
		text = strings.NewReplacer("use chroot = yes\n", "", "uid = nobody\n", "", "gid = *\n", "").Replace(text)
	}
	s := p.ours(text, nil)
	out, code := p.rsync(s.addr, append(strings.Fields("--recursive --links --safe-links --perms --times --omit-dir-times --compress --force --whole-file --delete --stats --human-readable --timeout=180 --exclude=/distfiles --exclude=/local --exclude=/packages --exclude=/.git"),
		"@URL@/portage/", "tree/")...)
	const want = "app-misc/\napp-misc/foo/\napp-misc/foo/foo-1.ebuild = \"EAPI=8\"\ndistfiles/\ndistfiles/mine.tar = \"kept\"\nmetadata/\nmetadata/timestamp = \"now\"\n"
	if code != 0 || p.tree("tree") != want {
		t.Errorf("code %d: %s\n%s", code, out, p.tree("tree"))
	}
	if out, code := p.rsync(s.addr, "@URL@/portage/distfiles/"); code == 0 || strings.Contains(out, "big.tar") {
		t.Errorf("what is excluded: code %d, %s", code, out)
	}
}
