#!/usr/bin/env bash
# Makes sure that what the tests need is there. As root on Debian and Ubuntu it
# installs what is missing; elsewhere it lists it, and exits with 1 if a tool is
# missing without which tests cannot run.
set -euo pipefail

# What is looked for (a command on PATH or a file), the Debian package that has
# it, whether tests need it, and what for.
readonly table='
rsync|rsync|required|the peer that every transfer is tested against
/usr/sbin/sshd|openssh-server|required|restricted keys, the doctor and synk are tried with it
ssh|openssh-client|required|the way to it
qemu-arm|qemu-user|required|runs the ARM binary
shellcheck|shellcheck|required|make lint reads the scripts with it
unshare|util-linux|required|the demo makes a namespace of its own with it
strace|strace|required|shows in what order programs write, sync and rename
faketime|faketime|required|hosts whose clocks are wrong, for synk
ip|iproute2|optional|gives that namespace an address
gcc|gcc|required|the race detector links with it
/usr/include/stdlib.h|libc6-dev|required|the race detector links with it
rz|lrzsz|required|a player side of a serial line
busybox|busybox|required|a small shell to try scripts for players with
git|git|required|tells the version
curl|curl|required|a client of the package cache
/usr/bin/wget|wget|required|a client of the package cache
apt-get|apt|required|a client of the package cache
pacman|pacman-package-manager|required|a client of the package cache
dnf|dnf|required|a client of the package cache
createrepo_c|createrepo-c|required|makes a repository for dnf
rpmbuild|rpm|required|makes a package for dnf to fetch
dpkg-deb|dpkg|required|makes a package for apt to fetch
/usr/lib/python3/dist-packages/pyftpdlib|python3-pyftpdlib|required|an FTP server for the package cache to fetch from
qemu-system-arm|qemu-system-arm|optional|make vmtest and make image run boards in it
mke2fs|e2fsprogs|optional|makes the disks of such boards
/usr/share/sounds/freedesktop/stereo|sound-theme-freedesktop|required|real sound files as tunes
'

have() {
	case $1 in
	/*) [ -e "$1" ] ;;
	# Tools for administrators may lie outside an ordinary user's PATH.
	*) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
	esac
}

# Prints the table's rows whose tool is not there.
missing() {
	local look package need why
	while IFS='|' read -r look package need why; do
		if [ -n "$look" ] && ! have "$look"; then
			printf '%s|%s|%s|%s\n' "$look" "$package" "$need" "$why"
		fi
	done <<<"$table"
}

install_missing() {
	local packages
	mapfile -t packages < <(missing | cut -d'|' -f2 | sort -u)
	echo "installing: ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# apt's own user may not be able to write to the folder for temporary files.
	apt-get -q -o APT::Sandbox::User=root update
	apt-get -q -o APT::Sandbox::User=root install -y --no-install-recommends "${packages[@]}"
}

if ! command -v "${GO:-go}" >/dev/null; then
	echo "deps: Go is missing; get the version that go.mod names from https://go.dev/dl/" >&2
	exit 1
fi
if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	install_missing
fi

lacking=$(missing)
if [ -n "$lacking" ]; then
	{
		echo "missing on this machine:"
		while IFS='|' read -r look package need why; do
			printf '  %-36s %-8s  %s\n' "$look" "$need" "$why"
		done <<<"$lacking"
		echo "on Debian and Ubuntu: sudo apt-get install $(cut -d'|' -f2 <<<"$lacking" | sort -u | paste -sd' ')"
	} >&2
	if grep -q '|required|' <<<"$lacking"; then
		exit 1
	fi
fi

if ! unshare -Urn true 2>/dev/null; then
	echo "note: this system does not let $(id -un) make user namespaces; tests of the boot fix-ups need them" >&2
	echo "      (Debian: sysctl kernel.unprivileged_userns_clone=1; Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0)" >&2
fi
"${GO:-go}" version
rsync --version | sed -n 1p
qemu-arm --version | sed -n 1p
