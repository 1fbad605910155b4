#!/usr/bin/env bash
# Runs every fuzz target of the tree for FUZZTIME each (10s, or 300x for a
# number of inputs): scripts/fuzz.sh [FOLDER...].
# All run even if one fails; the exit code is 1 if one did, or if there are none.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
time=${FUZZTIME:-10s}
[ $# -gt 0 ] || set -- cmd pkg tools

list=$(grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' -- "$@" | sort) || {
	echo "fuzz: no fuzz target below $*" >&2
	exit 1
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
log=$dir/log

# Each package is built once: linking costs more than a short run. The corpus
# that a run finds stays in Go's cache, as with "go test".
corpus=$("$go" env GOCACHE)/fuzz
module=$("$go" list -m)

# fuzz PACKAGE TARGET: the end of the time that falls into the last input's run
# is reported by Go as a failure that has no input. Only one with an input
# counts, and a crash always leaves one.
fuzz() {
	(cd "$1" && "$dir/test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$time" \
		-test.fuzzcachedir "$corpus/$module/$1") </dev/null >"$log" 2>&1 && return
	! grep -q 'Failing input written to\|panic:\|^ *[a-z0-9_]*_test\.go:' "$log" && grep -q 'context deadline exceeded' "$log"
}

failed=()
count=0
built=
while IFS=: read -r file func; do
	name=${func#func }
	package=$(dirname "$file")
	if [ "$package" != "$built" ]; then
		"$go" test -c -fuzz=. -o "$dir/test" "./$package"
		built=$package
	fi
	count=$((count + 1))
	if ! fuzz "$package" "$name"; then
		cat "$log"
		failed+=("$package $name")
	fi
done <<<"$list"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "$count fuzz targets ran for $time each"
