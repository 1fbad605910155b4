#!/usr/bin/env bash
# Looks for known vulnerabilities in code that ours calls. A machine that cannot
# reach the tool or its database is told so and is no failure; a finding is.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly tool=golang.org/x/vuln/cmd/govulncheck@v1.9.0
go=${GO:-go}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

unchecked() {
	echo "vulnerabilities were NOT looked for: $1"
	grep -v '^go: downloading' "$dir/log" | sed -n '1s/^/  /p'
	exit 0
}

if ! GOBIN="$dir" "$go" install "$tool" >"$dir/log" 2>&1; then
	unchecked "$tool cannot be had here:"
fi
code=0
"$dir/govulncheck" ./... >"$dir/log" 2>&1 || code=$?
case $code in
0) tail -n 1 "$dir/log" ;;
3) # the tool's own code for findings
	cat "$dir/log" >&2
	exit 1
	;;
*)
	if grep -qE 'vuln\.go\.dev|fetching vulnerabilities' "$dir/log"; then
		unchecked "the database cannot be reached:"
	fi
	cat "$dir/log" >&2
	exit 1
	;;
esac
