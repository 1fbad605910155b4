#!/usr/bin/env bash
# Runs all tests: scripts/test.sh [go test's options]. Passed tests are silent.
# With CI=true a test that skips is a failure, but for the ones that
# scripts/test-arm.sh and scripts/vmtest.sh run; and one to three tests that failed
# while thousands shared the machine may show that it was chance: each must then
# pass three times alone, and is named as what somebody has to look at. Data races,
# panics, builds that fail and tests that hang get no second run.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# For this machine, whatever architecture the tests are for.
env -u GOARCH -u GOOS "$go" build -o "$dir/testreport" ./tools/testreport

strict=(-strays "$dir/strays")
if [ "${CI:-}" = true ]; then
	strict+=(-no-skip -may-skip '^Test(ARM|VM)')
fi
code=0
"$go" test -json -timeout 20m -parallel 8 "$@" ./... | "$dir/testreport" "${strict[@]}" || code=$?
[ "$code" = 0 ] && exit 0

strays=$(wc -l <"$dir/strays")
if [ "${CI:-}" != true ] || [ "$strays" -lt 1 ] || [ "$strays" -gt 3 ]; then
	exit "$code"
fi
while read -r package test; do
	echo "== $test once more, three times alone"
	"$go" test -json -timeout 20m "$@" -count=3 -run "^$test\$" "$package" </dev/null | "$dir/testreport" -no-skip -least 3
done <"$dir/strays"
while read -r package test; do
	echo "UNSTABLE: $test of $package failed once, then passed three times alone: find out why."
done <"$dir/strays"
