#!/usr/bin/env bash
# Compares the package cache with nginx's proxy_cache: CLIENTS clients join one
# download of SIZE MiB, one every GAP seconds, while upstream sends RATE MiB a
# second. In turns, ROUNDS times, it prints how long all took, how often upstream
# was asked, and the largest memory of the cache's processes in MiB. Needs nginx, curl.
#
#     scripts/bench-cache.sh EMPEGSYNC
set -euo pipefail

program=$(realpath "${1:?which program?}")
clients=${CLIENTS:-100} size=${SIZE:-200} gap=${GAP:-0.02} rate=${RATE:-200} rounds=${ROUNDS:-3}
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
sum=$(sha256sum <"$work/up/distfiles/big.tar")
base=$((20000 + RANDOM % 10000))
up=$base theirs=$((base + 1))
common="daemon off; pid $work/PID; error_log $work/logs/error; user root; worker_processes auto; events { worker_connections 1024; }"
cat >"$work/up.conf" <<END
${common/PID/up.pid}
http { access_log $work/up.log; client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
server { listen 127.0.0.1:$up; root $work/up; limit_rate ${rate}m; } }
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
		{ curl -sSf ${2:+-x "$2"} --noproxy '' "$1" | sha256sum | cmp -s - <(echo "$sum"); } &
		all+=($!)
		sleep "$gap"
	done
	for i in "${all[@]}"; do wait "$i" || echo "a body was wrong" >&2; done
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

# round NAME PID URL [PROXY]
round() {
	local before start
	before=$(wc -l <"$work/up.log")
	start=$(date +%s.%N)
	join "$3" "${4:-}"
	printf '%-12s %6.2f s  upstream asked %3d times  %4d MiB\n' "$1" \
		"$(echo "$(date +%s.%N) - $start" | bc)" $(($(wc -l <"$work/up.log") - before)) "$(memory "$2")"
	kill "$2"
	wait "$2" || :
}

# listening PORT waits for a server.
listening() { until (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; do sleep 0.05; done; }

listening "$up"
for ((n = 0; n < rounds; n++)); do
	rm -rf "$work/ours" && mkdir "$work/ours"
	"$program" cache --dir "$work/ours" --config "$work/ours.conf" -q >"$work/said" 2>"$work/logs/ours" &
	pid=$!
	until grep -q '^listening on' "$work/said"; do sleep 0.05; done
	at=$(sed -n 's/^listening on \([^,]*\),.*/\1/p' "$work/said")
	round empegsync "$pid" "http://127.0.0.1:$up/distfiles/big.tar" "http://$at"
	for lock in off on; do
		rm -rf "$work/nginx" && mkdir -p "$work/nginx"
		nginx_conf "$lock" >"$work/nginx.conf"
		nginx -c "$work/nginx.conf" -e "$work/logs/e2" &
		pid=$!
		listening "$theirs"
		round "nginx, lock $lock" "$pid" "http://127.0.0.1:$theirs/distfiles/big.tar"
	done
done
