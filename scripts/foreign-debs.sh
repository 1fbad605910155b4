#!/usr/bin/env bash
# Unpacks Debian packages of another architecture, without installing them:
#   scripts/foreign-debs.sh ARCHITECTURE FOLDER PACKAGE...
# They come from the package sources that this machine is set up with, and apt
# checks their signatures; its own lists and state stay as they are. Nothing is
# fetched when FOLDER holds the packages already.
set -euo pipefail

[ $# -ge 3 ] || { sed -n 3p "$0" >&2; exit 1; }
arch=$1 folder=$2
shift 2
want="$arch: $*"
if [ -e "$folder/.packages" ] && [ "$(cat "$folder/.packages")" = "$want" ]; then
	exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs"
: >"$work/state/status"
apt() {
	apt-get -qq -o APT::Sandbox::User="$(id -un)" -o APT::Architecture="$arch" -o APT::Architectures::="$arch" \
		-o Dir::State="$work/state" -o Dir::State::status="$work/state/status" -o Dir::Cache="$work/cache" \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Debug::NoLocking=true "$@"
}
# Sources that do not have this architecture may complain; the download tells.
apt update >"$work/log" 2>&1 || :
if ! (cd "$work/debs" && apt download "$@") >>"$work/log" 2>&1; then
	cat "$work/log" >&2
	echo "foreign-debs: cannot fetch $* for $arch: apt's sources on this machine have to be Debian's" >&2
	exit 1
fi
mkdir -p "$work/root"
for deb in "$work"/debs/*.deb; do
	dpkg-deb -x "$deb" "$work/root"
done
printf '%s\n' "$want" >"$work/root/.packages"
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
cp -a "$work/root" "$folder"
