#!/usr/bin/env bash
# Reads the sources: format, go vet for each architecture, staticcheck, shellcheck.
# Every check runs, and the exit code is 1 if any of them found something.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
go=${GO:-go}
failed=0

# check NAME COMMAND... runs a command and notes its failure.
check() {
	local name=$1
	shift
	echo "$name"
	if ! "$@"; then
		echo "lint: $name found something" >&2
		failed=1
	fi
}

echo gofmt
unformatted=$(gofmt -l . 2>&1)
if [ -n "$unformatted" ]; then
	printf 'gofmt -w these:\n%s\n' "$unformatted" >&2
	failed=1
fi
for arch in amd64 386 arm; do
	check "go vet for $arch" env CGO_ENABLED=0 GOOS=linux GOARCH="$arch" GOARM=5 "$go" vet ./...
done
check "go vet of the build for boards" env CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=5 "$go" vet -tags board ./cmd/...
check staticcheck "$go" run "${STATICCHECK:?is set by the Makefile: run make lint}" ./...
check shellcheck shellcheck scripts/*.sh .ci/run
exit "$failed"
