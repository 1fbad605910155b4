#!/usr/bin/env bash
# Runs every fuzz target of the tree for FUZZTIME each (10s, or 300x for a
# number of inputs): scripts/fuzz.sh [FOLDER...].
# All run even if one fails; the exit code is 1 if one did, or if there are none.
# What a random search comes upon one day is not the fault of whoever submits
# something that day: where CI is set, an input that only breaks what a test claims
# is shown, for somebody to mend and to keep as a seed, and does not fail the run.
# A panic, a hang or memory without end always does.
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

# claim is true if the log tells of nothing worse than a claim that does not hold.
claim() {
	[ -n "${CI:-}" ] && grep -q 'Failing input written to' "$log" &&
		! grep -qE 'panic|fatal error|runtime error|DATA RACE|hung or terminated|out of memory|context deadline' "$log"
}

failed=()
found=()
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
		if claim; then
			(cd "$package" && cat "$(sed -n 's/.*Failing input written to //p' "$log" | head -n 1)")
			found+=("$package $name")
		else
			failed+=("$package $name")
		fi
	fi
done <<<"$list"
if [ ${#found[@]} -gt 0 ]; then
	printf 'fuzz: FOUND, to be mended: %s\n' "${found[@]}" >&2
fi
if [ ${#failed[@]} -gt 0 ]; then
	printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "$count fuzz targets ran for $time each"
