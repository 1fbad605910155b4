#!/usr/bin/env bash
# Boots emulated boards and shows on them what players go through, from power-on:
# scripts/vmtest.sh BINARY [go test's options]. What the boards say goes to the
# terminal and to dist/vmtest.log.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
binary=$(realpath -- "${1:?usage: scripts/vmtest.sh BINARY}")
shift

if ! command -v qemu-system-arm >/dev/null; then
	echo "vmtest: qemu-system-arm is missing; run scripts/deps.sh" >&2
	exit 1
fi
scripts/board-packages.sh dist/board/packages
CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=5 "$go" build -trimpath -ldflags '-s -w' -o dist/board/boardinit ./tools/mkboard/boardinit

export EMPEGSYNC_ARM=$binary BOARD_PACKAGES=$PWD/dist/board/packages BOARD_INIT=$PWD/dist/board/boardinit
"$go" test -count=1 -timeout 60m -v "$@" ./tools/mkboard/vmtest 2>&1 | tee dist/vmtest.log
