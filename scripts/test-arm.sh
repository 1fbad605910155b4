#!/usr/bin/env bash
# Runs the ARM binary under an emulated ARMv5 processor: scripts/test-arm.sh BINARY.
# The tests named TestARM... of cmd/empegsync start it by
# "qemu-arm -cpu arm926 $EMPEGSYNC_ARM"; none of them may skip. One of their
# peers is the rsync that Debian builds for armel.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
binary=$(realpath -- "${1:?usage: scripts/test-arm.sh BINARY}")

processors=$(qemu-arm -cpu help || :)
if ! grep -qw arm926 <<<"$processors"; then
	echo "test-arm: qemu-arm is missing or does not know the processor arm926; run scripts/deps.sh" >&2
	exit 1
fi
# An ARMv6 instruction would end this with SIGILL: better to see it first, and alone.
qemu-arm -cpu arm926 "$binary" version

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$go" build -o "$dir/testreport" ./tools/testreport
armel=$PWD/dist/armel
scripts/foreign-debs.sh armel "$armel" rsync libacl1 libatomic1 libc6 libgcc-s1 liblz4-1 libpopt0 \
	libssl3 libxxhash0 libzstd1 zlib1g
for lib in lib usr/lib; do
	libraries=${libraries:+$libraries:}$armel/$lib/arm-linux-gnueabi
done
debian="qemu-arm -cpu arm926 -L $armel -E LD_LIBRARY_PATH=$libraries $armel/usr/bin/rsync"
$debian --version | sed -n 1p

EMPEGSYNC_ARM=$binary EMPEGSYNC_ARMEL=$debian "$go" test -json -count=1 -timeout 8m -run ARM ./cmd/empegsync |
	"$dir/testreport" -no-skip -least 1
