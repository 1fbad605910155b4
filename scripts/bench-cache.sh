#!/usr/bin/env bash
# Compares the package cache with nginx's proxy_cache: CLIENTS clients join one
# download of SIZE MiB, one every GAP seconds, while upstream sends RATE MiB a
# second to each that asks. In turns, ROUNDS times, it prints how long all took, what
# processor time and memory the cache's processes took, and how often upstream was
# asked; in the end, ratios of medians. Every body is compared. Files lie below
# TMPDIR (/dev/shm: no disk is measured), twice SIZE at once, with nginx's lock off
# once more for each fetch: LOCKS=on leaves that out. Needs nginx, curl, bc (Debian:
# apt-get install nginx-light curl bc).
#
#     scripts/bench-cache.sh EMPEGSYNC
#     CLIENTS=20 SIZE=50 ROUNDS=1 scripts/bench-cache.sh EMPEGSYNC    # a short try
set -euo pipefail

program=$(realpath "${1:?which program?}")
clients=${CLIENTS:-100} size=${SIZE:-200} gap=${GAP:-0.02} rate=${RATE:-200} rounds=${ROUNDS:-3}
read -ra locks <<<"${LOCKS:-off on}"
work=$(mktemp -d "${TMPDIR:-/dev/shm}/bench-cache.XXXXXX")
pids=()
finish() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || :
	wait || :
	rm -rf "$work"
}
trap finish EXIT

mkdir -p "$work"/{up/distfiles,ours,logs}
head -c "${size}M" /dev/urandom >"$work/up/distfiles/big.tar"
base=$((20000 + RANDOM % 10000))
up=$base theirs=$((base + 1))
common="daemon off; pid $work/PID; error_log $work/logs/error; user root; worker_processes auto; events { worker_connections 1024; }"
cat >"$work/up.conf" <<END
${common/PID/up.pid}
http { access_log $work/up.log; client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
server { listen 127.0.0.1:$up; root $work/up; sendfile on; limit_rate ${rate}m; } }
END
nginx_conf() { # $1: on or off
	cat <<END
${common/PID/nginx.pid}
http { access_log off; client_body_temp_path $work/n1; fastcgi_temp_path $work/n3; uwsgi_temp_path $work/n4; scgi_temp_path $work/n5;
proxy_temp_path $work/nginx/temp; proxy_cache_path $work/nginx/cache keys_zone=z:1m max_size=10g use_temp_path=off;
sendfile on; proxy_cache z; proxy_cache_valid 200 1d; proxy_cache_lock $1; proxy_cache_lock_timeout 300s; proxy_cache_lock_age 300s; proxy_max_temp_file_size 4096m;
server { listen 127.0.0.1:$theirs; location / { proxy_pass http://127.0.0.1:$up; } } }
END
}
cat >"$work/ours.conf" <<END
port = 0
address = 127.0.0.1
private hosts = 127.0.0.0/8
manifests = none
min free = 0
END

nginx -c "$work/up.conf" -e "$work/logs/e1" &
pids+=($!)

# join URL [PROXY] lets the clients come; each one's body is checked.
join() {
	local i all=()
	for ((i = 0; i < clients; i++)); do
		# Comparing costs less than a sum, and the clients share the processors.
		{ curl -sSf ${2:+-x "$2"} --noproxy '' "$1" | cmp -s - "$work/up/distfiles/big.tar"; } &
		all+=($!)
		sleep "$gap"
	done
	for i in "${all[@]}"; do
		wait "$i" || {
			echo "a body was wrong" >&2
			exit 1
		}
	done
}

# memory PID: the largest resident memory of a process and its children.
memory() {
	local p sum=0 kb
	for p in "$1" $(pgrep -P "$1"); do
		kb=$(awk '/^VmHWM/ { print $2 }' "/proc/$p/status")
		sum=$((sum + kb))
	done
	echo $((sum / 1024))
}

# processor PID: what a process and its children have used, in seconds.
processor() {
	local p
	for p in "$1" $(pgrep -P "$1"); do cat "/proc/$p/stat"; done |
		awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); t += $12 + $13 } END { printf "%.2f", t / hz }'
}

# round NAME PID URL [PROXY]
round() {
	local before start took asked cpu mem
	before=$(wc -l <"$work/up.log")
	start=$(date +%s.%N)
	join "$3" "${4:-}"
	took=$(echo "$(date +%s.%N) - $start" | bc)
	cpu=$(processor "$2") mem=$(memory "$2")
	sleep 0.2 # nginx writes its log a moment later
	asked=$(($(wc -l <"$work/up.log") - before))
	printf '%-16s %7.2f s %6.2f s of processor %5d MiB  upstream asked %3d times\n' "$1" "$took" "$cpu" "$mem" "$asked"
	printf '%s|%s|%s|%s|%s\n' "$1" "$took" "$cpu" "$mem" "$asked" >>"$work/rounds"
	kill "$2"
	wait "$2" || :
}

# listening PORT waits for a server.
listening() { until (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; do sleep 0.05; done; }

listening "$up"
for ((n = 0; n < rounds; n++)); do
	rm -rf "$work/ours" && mkdir "$work/ours"
	: >"$work/said" # else the last round's address might be read
	"$program" cache --dir "$work/ours" --config "$work/ours.conf" -q >"$work/said" 2>"$work/logs/ours" &
	pid=$!
	until grep -q '^listening on' "$work/said"; do sleep 0.05; done
	at=$(sed -n 's/^listening on \([^,]*\),.*/\1/p' "$work/said")
	round empegsync "$pid" "http://127.0.0.1:$up/distfiles/big.tar" "http://$at"
	for lock in "${locks[@]}"; do
		rm -rf "$work/nginx" && mkdir -p "$work/nginx"
		nginx_conf "$lock" >"$work/nginx.conf"
		nginx -c "$work/nginx.conf" -e "$work/logs/e2" &
		pid=$!
		listening "$theirs"
		round "nginx, lock $lock" "$pid" "http://127.0.0.1:$theirs/distfiles/big.tar"
	done
done

# median NAME COLUMN
median() { awk -F'|' -v n="$1" -v c="$2" '$1 == n { print $c }' "$work/rounds" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for lock in "${locks[@]}"; do
	awk -v lock="$lock" -v t="$(median empegsync 2)" -v u="$(median "nginx, lock $lock" 2)" -v c="$(median empegsync 3)" -v d="$(median "nginx, lock $lock" 3)" \
		-v m="$(median empegsync 4)" -v n="$(median "nginx, lock $lock" 4)" -v a="$(median empegsync 5)" -v b="$(median "nginx, lock $lock" 5)" 'BEGIN {
		printf "to nginx with its lock %s: throughput x %.2f, processor time x %.2f, memory x %.2f, upstream asked %d : %d\n", lock, u / t, c / (d ? d : 0.01), m / n, a, b }'
done
