#!/usr/bin/env bash
# Runs every fuzz target of the tree for FUZZTIME each: scripts/fuzz.sh [FOLDER...].
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
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()
count=0
while IFS=: read -r file func; do
	name=${func#func }
	package=./$(dirname "$file")
	count=$((count + 1))
	if ! "$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" </dev/null >"$log" 2>&1; then
		cat "$log"
		failed+=("$package $name")
	fi
done <<<"$list"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "$count fuzz targets ran for $time each"
