package rules

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache"
)

// Presets are the names that Preset takes, in the order in which they are
// meant to be used together.
func Presets() []string { return []string{"gentoo", "debian", "arch", "rpm", "alpine", "go"} }

// Preset returns the rules for one way of distributing packages.
func Preset(name string) ([]Rule, error) {
	makers := map[string]func() []Rule{
		"gentoo": gentoo, "debian": debian, "arch": arch, "rpm": rpm, "alpine": alpine, "go": goModules,
	}
	maker := makers[name]
	if maker == nil {
		return nil, fmt.Errorf("there is no preset %q: it is one of %s", name, strings.Join(Presets(), ", "))
	}
	rules := maker()
	for i := range rules {
		rules[i].Name = name + ": " + rules[i].Name
	}
	return rules, nil
}

// immutable, volatile and keyed make rules.
func immutable(name, pattern string) Rule {
	return Rule{Name: name, Pattern: regexp.MustCompile(pattern), Class: pkgcache.Immutable}
}

func volatile(name, pattern string, maxAge time.Duration) Rule {
	return Rule{Name: name, Pattern: regexp.MustCompile(pattern), Class: pkgcache.Volatile, MaxAge: maxAge}
}

func (r Rule) keyed(template string) Rule {
	r.Key = template
	return r
}

// gentoo: distfiles have one name for one content, in whatever layout a mirror
// has them (GLEP 75: flat, or by the first bytes of a sum of the name), so all
// mirrors share one folder, the one that portage calls DISTDIR.
func gentoo() []Rule {
	return []Rule{
		volatile("layout of a mirror", `/distfiles/layout\.conf$`, time.Hour),
		volatile("mirror's time", `/distfiles/\.?timestamp[^/]*$`, time.Minute),
		immutable("distfiles", `/distfiles/(?:[0-9a-f]{2}/)?([^/]+)$`).keyed("distfiles/$1"),
		immutable("dated snapshots", `/snapshots/[^/]*-\d{8}\.[^/]+$`),
		volatile("latest snapshots", `/snapshots/[^/]*$`, 10*time.Minute),
		volatile("index of binary packages", `/Packages(?:\.gz)?$`, time.Minute),
		immutable("binary packages with a build number", `/[^/]+-\d+\.(?:gpkg\.tar|xpak)$`),
		volatile("binary packages", `\.(?:gpkg\.tar|xpak|tbz2)$`, time.Minute),
	}
}

// debian: what is in the pool never changes under its name, nor what is called
// by its hash; everything else below dists is an index.
func debian() []Rule {
	return []Rule{
		immutable("indexes by hash", `/dists/.*/by-hash/(?:MD5Sum|SHA1|SHA256|SHA512)/[0-9a-f]+$`),
		volatile("indexes", `/dists/`, time.Minute),
		immutable("packages and sources", `/pool/.*\.(?:u?deb|ddeb|dsc|tar\.[a-z0-9]+|diff\.gz|tar\.[a-z0-9]+\.asc)$`),
		immutable("packages outside a pool", `_[^/]+_[a-z0-9-]+\.u?deb$`),
		volatile("flat repositories", `/(?:Packages|Sources|Release|InRelease|Contents-[^/]+)(?:\.gpg|\.gz|\.xz|\.bz2|\.zst)?$`, time.Minute),
	}
}

func arch() []Rule {
	return []Rule{
		volatile("databases", `\.(?:db|files)(?:\.tar(?:\.[a-z0-9]+)?)?(?:\.sig)?$`, time.Minute),
		immutable("packages", `\.pkg\.tar(?:\.[a-z0-9]+)?(?:\.sig)?$`),
	}
}

func rpm() []Rule {
	return []Rule{
		volatile("entry of the metadata", `/repodata/repomd\.xml(?:\.asc|\.key)?$`, time.Minute),
		immutable("metadata by sum", `/repodata/[0-9a-f]{32,}-[^/]+$`),
		volatile("metadata", `/repodata/`, time.Minute),
		immutable("packages", `\.(?:d|s)?rpm$`),
	}
}

func alpine() []Rule {
	return []Rule{
		volatile("index", `/APKINDEX\.tar\.gz$`, time.Minute),
		immutable("packages", `/[^/]+-[0-9][^/]*-r\d+\.apk$`),
	}
}

// goModules: a module's version is for ever, and so are the checksum
// database's tiles and answers.
func goModules() []Rule {
	return []Rule{
		volatile("lists of versions", `/@v/list$`, time.Minute),
		volatile("latest versions", `/@latest$`, time.Minute),
		// A branch's name is a query, not a version: it leads elsewhere tomorrow.
		immutable("versions", `/@v/v\d+\.\d+\.\d+[^/]*\.(?:info|mod|zip|ziphash)$`),
		volatile("queries", `/@v/`, time.Minute),
		volatile("latest tree", `/sumdb/[^/]+/latest$`, time.Minute),
		immutable("checksum database", `/sumdb/[^/]+/(?:tile|lookup)/`),
	}
}
