#!/usr/bin/env bash
# Builds the ARM binary twice, from copies of the sources in two folders and with
# a compiler cache of their own for the second, and compares the bytes. It also
# fails when they are too large for a board.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for copy in "$dir/one" "$dir/another/place"; do
	mkdir -p "$copy"
	cp -R go.mod go.sum Makefile cmd pkg "$copy"
done
# Two module caches would only fetch the same files twice; what is compiled differs.
make -s -C "$dir/one" arm
GOCACHE="$dir/cache" make -s -C "$dir/another/place" arm

binary=dist/empegsync-linux-armv5
if ! cmp "$dir/one/$binary" "$dir/another/place/$binary"; then
	echo "reproducible: two builds of the same sources differ" >&2
	exit 1
fi
(cd "$dir/one" && sha256sum "$binary")
size=$(stat -c %s "$dir/one/$binary")
echo "two builds, the same $size bytes"
if [ "$size" -gt $((8 << 20)) ]; then
	echo "reproducible: a program for boards must not be larger than 8 MiB; see BOARD in the Makefile" >&2
	exit 1
fi
