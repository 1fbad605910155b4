#!/usr/bin/env bash
# Runs all tests: scripts/test.sh [go test's options]. Passed tests are silent.
# With CI=true a test that skips is a failure, but for the ones that
# scripts/test-arm.sh and scripts/vmtest.sh run.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# For this machine, whatever architecture the tests are for.
env -u GOARCH -u GOOS "$go" build -o "$dir/testreport" ./tools/testreport

strict=()
if [ "${CI:-}" = true ]; then
	strict=(-no-skip -may-skip '^Test(ARM|VM)')
fi
"$go" test -json -timeout 20m -parallel 8 "$@" ./... | "$dir/testreport" "${strict[@]}"
