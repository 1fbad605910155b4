#!/usr/bin/env bash
# Shows the whole job on this machine, without root, in a temporary folder: a master
# and a slave player are laid out, booted, and made equal by a pull over loopback.
#
#   EMPEGSYNC=...  the binary to show (default bin/empegsync)
#   FIDS=...       how much music each player has (default 300)
#   KEEP=1         leave the folder behind, to look at
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PATH:/usr/sbin:/sbin # where ip lies for an ordinary user on Debian
bin=$(realpath -- "${EMPEGSYNC:-bin/empegsync}")
fids=${FIDS:-300}
dir=$(mktemp -d "${TMPDIR:-/tmp}/empegsync-demo.XXXXXX")
master=$dir/master
slave=$dir/slave
server=

cleanup() {
	local code=$?
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || :
		wait "$server" 2>/dev/null || :
	fi
	if [ "${KEEP:-}" = 1 ]; then
		echo "left behind: $dir"
	else
		rm -rf "$dir"
	fi
	if [ "$code" != 0 ]; then
		echo "demo: stopped with exit code $code" >&2
	fi
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

title() { printf '\n== %s\n' "$*"; }
# Shows a command as one would type it, then runs it.
run() {
	printf '$ %s\n' "$*" | shorten
	"$@" 2>&1 | shorten
}
shorten() { sed -e "s#$bin#empegsync#g" -e "s#$dir/##g"; }
# Like run, but of long output only the beginning and the end.
run_brief() {
	run "$@" >"$dir/output" || { cat "$dir/output"; return 1; }
	local lines
	lines=$(wc -l <"$dir/output")
	if [ "$lines" -le 26 ]; then
		cat "$dir/output"
	else
		sed -n '1,12p' "$dir/output"
		echo "  ... $((lines - 24)) more lines ..."
		tail -n 12 "$dir/output"
	fi
}
# The database files of the slave, or "none".
database() {
	local file found=()
	for file in database database3 playlists tags; do
		if [ -e "$slave/empeg/var/$file" ]; then found+=("$file"); fi
	done
	echo "${found[*]:-none}"
}
# What the slave's fids and database are now: equal lines mean that nothing was touched.
state() {
	find "$slave/drive0" "$slave/drive1" -printf '%P %y %s %m %T@ %i\n' | sort | cksum
}

# ---------------------------------------------------------------------------
layout() {
	title "Two players in $dir, the slave as the master was yesterday"
	"${GO:-go}" build -buildvcs=false -o "$dir/mkplayer" ./tools/mkplayer
	"$dir/mkplayer" build -fids "$fids" -name kitchen "$master"
	"$dir/mkplayer" build -fids "$fids" -name car "$slave"
	echo "on the master, $("$dir/mkplayer" mutate "$master")"
}

# Network and hostname belong to a running system. In a namespace of their own they
# can be set for real; the interface there, if the kernel gives one, stands for a
# player's eth0.
boot_for_real() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare -Urn --uts sh -c '
		{
			ip link add eth0 type dummy || ip link add eth0 type bridge || ip link add eth0 type veth peer name eth1
			ip address add 192.168.0.1/24 dev eth0 && ip link set eth0 up
		} 2>/dev/null
		echo "before: hostname $(cat /proc/sys/kernel/hostname)"
		"$1" boot --root "$2" --system || exit
		echo "after:  hostname $(cat /proc/sys/kernel/hostname)"
		echo "and once more:"
		"$1" boot --root "$2" --system
	' sh "$bin" "$1" 2>&1 | shorten
}

boot() {
	local player
	title "Boot: what is missing on each of them (-n: only planned)"
	run "$bin" boot -n --root "$master"
	run "$bin" boot -n --root "$slave"
	for player in "$master" "$slave"; do
		if unshare -Urn --uts true 2>/dev/null; then
			title "Boot of ${player##*/}, in network, host and user namespaces of its own"
			boot_for_real "$player"
		else
			title "Boot of ${player##*/}: the files only, since this system allows no user namespaces"
			run "$bin" boot --root "$player"
		fi
	done
	for file in hosts passwd group; do
		printf -- '-- %s\n' "slave/etc/$file"
		cat "$slave/etc/$file"
	done
}

serve() {
	title "The master serves its drives"
	cat >"$dir/rsyncd.conf" <<-EOF
		log file = $dir/rsyncd.log
		uid = $(id -u)
		gid = $(id -g)

		[drive0]
		    path = $master/drive0
		    use chroot = no

		[drive1]
		    path = $master/drive1
		    use chroot = no
	EOF
	sed "s#$dir/##" "$dir/rsyncd.conf"
	"$bin" serve --config "$dir/rsyncd.conf" --address 127.0.0.1:0 >"$dir/serve.out" 2>&1 &
	server=$!
	address=
	local try
	for try in $(seq 100); do
		address=$(sed -n '1s/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' "$dir/serve.out")
		if [ -n "$address" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
		sleep 0.1
	done
	if [ -z "$address" ]; then
		echo "demo: the server did not say where it listens (looked $try times):" >&2
		cat "$dir/serve.out" >&2
		exit 1
	fi
	echo "$ empegsync serve --config rsyncd.conf --address 127.0.0.1:0"
	echo "listening on $address"
}

pull() {
	local before
	title "The slave looks first (-n never writes)"
	before=$(state)
	run_brief "$bin" pull "$address" --root "$slave" -n -v
	if [ "$(state)" != "$before" ]; then
		echo "demo: the dry run changed something" >&2
		exit 1
	fi

	title "The slave pulls; its database ($(database)) goes before the first change"
	run_brief "$bin" pull "$address" --root "$slave" -v
	run "$dir/mkplayer" compare "$master" "$slave"
	run "$dir/mkplayer" leftovers "$slave"
	echo "database files on the slave: $(database)"
	if [ "$(database)" != none ]; then
		echo "demo: the fids changed, but a database of yesterday is still there" >&2
		exit 1
	fi
	run "$dir/mkplayer" start "$slave"

	title "The slave pulls again: nothing changes, the new database stays"
	before=$(state)
	run "$bin" pull "$address" --root "$slave" -v
	if [ "$(state)" != "$before" ]; then
		echo "demo: the second pull changed something" >&2
		exit 1
	fi
	run "$dir/mkplayer" start "$slave"
}

stop() {
	title "The server is told to stop (SIGTERM)"
	kill -TERM "$server"
	local code=0
	wait "$server" || code=$?
	server=
	echo "it ended with exit code $code"
	if [ "$code" != 0 ]; then
		cat "$dir/serve.out" >&2
		exit 1
	fi
}

advice() {
	title "On real boards"
	cat <<-'EOF'
		On the master, whose address is 192.168.0.1:
		    empegsync boot --wait
		    empegsync serve
		On the slave:
		    empegsync boot
		    empegsync pull 192.168.0.1 -n -v     # look first
		    empegsync pull 192.168.0.1
		Then let the slave's player start on writable drives, so that it can save the
		database that it rebuilds. On its console (115200 8N1; 4800 on car power):
		    q        quit the player
		    rwm      make the drives writable
		    exit     start the player again; it rebuilds, which takes its time
		An original player cannot run empegsync: its processor and kernel are too old.
		It keeps its rsync 2.3.2, as master or as slave.
	EOF
	title "Done: the slave holds the master's music, and its database tells the truth"
}

layout
boot
serve
pull
stop
advice
