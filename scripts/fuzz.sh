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
failed=()
while IFS=: read -r file func; do
	name=${func#func }
	package=./$(dirname "$file")
	echo "== $package $name"
	if ! "$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" </dev/null; then
		failed+=("$package $name")
	fi
done <<<"$list"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
