#!/usr/bin/env bash
# Builds Debian packages, dist/empegsync_VERSION_ARCH.deb, for amd64, armhf and
# armel, and installs each in a root of its own to see that it can be. The same
# commit makes the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${VERSION:?is set by the Makefile: run make packages}"
# Debian's versions begin with a digit and have no dashes of their own.
version=$(sed 's/^v//; s/-/+/g; /^[0-9]/!s/^/0~/' <<<"$VERSION")
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# layout ROOT puts everything but the program in place.
layout() {
	local root=$1 name
	install -d "$root"/{DEBIAN,usr/bin,usr/lib/empegsync,lib/systemd/system,etc/init.d,usr/share/doc/empegsync}
	install -m 644 scripts/service/empegsync.service scripts/service/empegsync.socket "$root/lib/systemd/system/"
	install -m 755 scripts/service/empegsync.openrc "$root/etc/init.d/empegsync"
	echo /etc/init.d/empegsync >"$root/DEBIAN/conffiles"
	install -m 644 README.md CHANGELOG.md "$root/usr/share/doc/empegsync/"
	install -m 644 firmware/rsyncd.conf "$root/usr/share/doc/empegsync/rsyncd.conf.example"
	# The names that choose a verb; a folder in front of the path makes them count.
	for name in rsync reindex synk rrsync http-replicator; do
		ln -s ../../bin/empegsync "$root/usr/lib/empegsync/$name"
	done
}

# package ARCH TARGET BINARY
package() {
	local arch=$1 target=$2 binary=$3 root=$work/$1
	layout "$root"
	make -s "$target"
	install -m 755 "$binary" "$root/usr/bin/empegsync"
	cat >"$root/DEBIAN/control" <<EOF
Package: empegsync
Version: $version
Architecture: $arch
Maintainer: The empegsync authors <empegsync@users.noreply.github.com>
Section: net
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f1)
Homepage: https://github.com/empegsync/empegsync
Description: rsync for music players, backups and mirrors
 One static program that speaks the rsync protocol with every release from
 2.3.2 on: as client, as daemon with an ordinary rsyncd.conf, and behind a
 remote shell.
EOF
	find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group -Zgzip --build "$root" "dist/empegsync_${version}_$arch.deb" >/dev/null
	try "dist/empegsync_${version}_$arch.deb" "$arch"
}

# try DEB ARCH installs a package in an empty root.
try() {
	local root=$work/root-$2
	install -d "$root/var/lib/dpkg/"{info,updates,triggers}
	: >"$root/var/lib/dpkg/status"
	local as=()
	[ "$(id -u)" = 0 ] || as=(--force-not-root)
	dpkg --root="$root" "${as[@]}" --force-architecture --force-script-chrootless --log=/dev/null -i "$1" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		exit 1
	}
	test -x "$root/usr/bin/empegsync" && test -x "$root/usr/lib/empegsync/rsync"
	[ "$2" != amd64 ] || "$root/usr/bin/empegsync" version
	echo "$1: $(stat -c %s "$1") bytes, installs"
}

mkdir -p dist
package amd64 all bin/empegsync
package armel arm dist/empegsync-linux-armv5
package armhf arm dist/empegsync-linux-armv5
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify scripts/service/empegsync.service scripts/service/empegsync.socket 2>&1 | grep -v "is not executable" >&2 || :
fi
