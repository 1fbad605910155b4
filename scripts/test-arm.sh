#!/usr/bin/env bash
# Runs the ARM binary under an emulated ARMv5 processor: scripts/test-arm.sh BINARY.
# The tests named TestARM... of cmd/empegsync start it by
# "qemu-arm -cpu arm926 $EMPEGSYNC_ARM"; none of them may skip.
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
EMPEGSYNC_ARM=$binary "$go" test -json -count=1 -timeout 8m -run ARM ./cmd/empegsync |
	"$dir/testreport" -no-skip -least 1
