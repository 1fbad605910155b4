#!/bin/sh
# Installs empegsync on a player that has no program of it yet.
#
#   sh install.sh [-n] [--root DIR] [FILE]
#
# Run it on the player, as root, with FILE (the program for ARM; else the file
# empegsync-linux-armv5 beside this script) where the player can read it, such as
# /drive0. -n only looks and says what it would do. --root is for a player's disks
# that are mounted somewhere else.
#
# It looks at the processor, the kernel, the drive and the free space, copies the
# program, compares the copy, and leaves the rest to "empegsync install". It uses
# only what a player has: a bash of the nineties (no here-documents: they need a
# writable /tmp), and cat, chmod, cmp, cp, df, ls, mkdir, mount, mv, rm, sed, sync.

dry=
root=
file=
new=
was_locked=

say() { echo "install: $*"; }

fail() {
	echo "install: $*" >&2
	exit 1
}

# How a player takes part that cannot run the program.
stock() {
	echo 'Such a player takes part with its own rsync 2.3.2, and everything here speaks'
	echo 'with that. Unpack rsync 2.3.2 on it (keep the archive on /drive0: an upgrade'
	echo 'rewrites the root), then, with the root writable (rw):'
	echo
	echo '  echo "root::0:0:root:/:/bin/sh" >> /etc/passwd'
	echo '  echo "root:x:0:" >> /etc/group'
	echo '  echo "127.0.0.1 localhost" >> /etc/hosts'
	echo '  echo "ADDRESS NAME (none)" >> /etc/hosts    (its own address and name)'
	echo
	echo 'As a master, /etc/rsyncd.conf:'
	echo
	echo '  log file = /drive0/rsyncd.log'
	echo '  pid file = /drive0/rsyncd.pid'
	echo '  uid = root'
	echo '  gid = root'
	echo
	echo '  [drive0]'
	echo '      path = /drive0'
	echo '      use chroot = no'
	echo
	echo '  [drive1]'
	echo '      path = /drive1'
	echo '      use chroot = no'
	echo
	echo 'and, with the drives writable (rwm):'
	echo
	echo '  rsync --daemon'
	echo
	echo 'Others then pull from it: empegsync pull ADDRESS'
	echo
	echo 'As a slave, quit the player (q on its console), then:'
	echo
	echo '  rwm'
	echo '  cd /drive0'
	echo '  rsync -auv --delete rsync://MASTER/drive0/fids .'
	echo '  cd /drive1'
	echo '  rsync -auv --delete rsync://MASTER/drive1/fids .'
	echo '  cd /empeg/var'
	echo '  rm -f database database3 playlists tags'
	echo '  cd /'
	echo '  exit'
	echo
	echo 'The player starts and rebuilds its database. Put -n before the u to look first.'
}

# too_old FOUND refuses a player that cannot run the program.
too_old() {
	echo "install: this program cannot run here: found $1; it needs an ARM processor of version 5 or later (ARMv5) and Linux 3.2 or later. Nothing was copied." >&2
	stock
	exit 1
}

# The version of the ARM architecture, from the field for it or, on old kernels,
# from a name such as "StrongARM-1100 rev 9 (v4l)". Other processors have neither.
check_processor() {
	test -r "$root/proc/cpuinfo" || fail "$root/proc/cpuinfo cannot be read, so the processor is unknown; mount /proc"
	version=$(sed -n 's/^CPU architecture[^0-9]*\([0-9][0-9]*\).*/\1/p' "$root/proc/cpuinfo" | sed -n 1p)
	name=$(sed -n 's/^[Pp]rocessor[^:]*: \(.*(v[0-9].*\)/\1/p; s/^model name[^:]*: //p' "$root/proc/cpuinfo" | sed -n 1p)
	if test -z "$version"; then
		version=$(echo "$name" | sed -n 's/.*(v\([0-9][0-9]*\).*/\1/p')
	fi
	if test -n "$version" && test "$version" -lt 5; then
		too_old "a processor of version ARMv$version ($name)"
	fi
}

check_kernel() {
	test -r "$root/proc/version" || fail "$root/proc/version cannot be read, so the kernel is unknown; mount /proc"
	release=$(sed -n 's/^Linux version \([^ ]*\).*/\1/p' "$root/proc/version")
	major=$(echo "$release" | sed -n 's/^\([0-9][0-9]*\)\..*/\1/p')
	minor=$(echo "$release" | sed -n 's/^[0-9][0-9]*\.\([0-9][0-9]*\).*/\1/p')
	if test -z "$major" || test -z "$minor"; then
		fail "the kernel's version was not understood: $release"
	fi
	if test "$major" -lt 3 || { test "$major" -eq 3 && test "$minor" -lt 2; }; then
		too_old "Linux $release"
	fi
}

# Kilobytes that are free on the file system of a folder: the field before the
# percentage, wherever a long device name has pushed it.
free() {
	before=0
	# shellcheck disable=SC2046 # the fields are wanted one by one
	set -- $(df -k "$1" | sed -n '$p')
	for field in "$@"; do
		case $field in
		*%)
			echo "$before"
			return
			;;
		esac
		before=$field
	done
	echo 0
}

check_drive() {
	test -d "$root/drive0" || fail "there is no $root/drive0: is this a player?"
	if test ! -d "$root/drive0/var" && test ! -d "$root/drive0/fids"; then
		fail "$root/drive0 holds neither var nor fids: is the drive mounted?"
	fi
	# shellcheck disable=SC2012,SC2046 # a player has no stat and no find
	set -- $(ls -l "$file")
	size=$(($5 / 1024 + 1))
	need=$((size + 1024))
	have=$(free "$root/drive0")
	if test "$have" -lt "$need"; then
		fail "drive0 has $have KB free and $need KB are needed"
	fi
}

writable() {
	(: >"$root/drive0/.empegsync-try") 2>/dev/null && rm -f "$root/drive0/.empegsync-try"
}

unlock() {
	if writable; then
		return
	fi
	mount -n -o remount,rw "$root/drive0" || fail "drive0 cannot be made writable"
	was_locked=yes
}

# Whatever happens: nothing half copied stays, and a drive that was read-only is
# so again.
finish() {
	code=$?
	trap 0
	cd /
	if test -n "$new"; then
		rm -f "$new"
	fi
	sync
	if test -n "$was_locked"; then
		mount -n -o remount,ro "$root/drive0" || {
			echo "install: drive0 could not be made read-only again: rom" >&2
			code=1
		}
	fi
	exit $code
}

copy() {
	folder=$root/drive0/empegsync
	if test ! -d "$folder"; then
		mkdir "$folder" || fail "the folder $folder cannot be made"
	fi
	new=$folder/.empegsync.empegsync-new-install
	say "copying $file to /drive0/empegsync ($size KB)"
	if cp "$file" "$new" && chmod 755 "$new"; then
		sync
	else
		fail "the program could not be copied"
	fi
	cmp "$file" "$new" || fail "the copy differs from the original; look at the disk with fsck"
	case $("$new" version 2>&1) in
	"empegsync "*) ;;
	*) fail "the program does not run here: is it the one for this player's processor?" ;;
	esac
}

while test $# -gt 0; do
	case $1 in
	-n) dry=yes ;;
	--root)
		test $# -gt 1 || fail "--root needs a folder"
		root=$2
		shift
		;;
	-*) fail "unknown option $1; usage: sh install.sh [-n] [--root DIR] [FILE]" ;;
	*) file=$1 ;;
	esac
	shift
done
if test "$root" = /; then
	root=
fi
if test -z "$file"; then
	here=$(echo "$0" | sed 's,[^/]*$,,')
	file=${here}empegsync-linux-armv5
fi

check_processor
check_kernel
test -f "$file" || fail "there is no $file; name the program for ARM: sh install.sh FILE"
check_drive
say "processor, kernel and drive are as needed"

if test -n "$dry"; then
	say "would copy $file to /drive0/empegsync ($size KB), compare the copy, and then:"
	if test -x "$file"; then
		"$file" install -n --root "$root/" --from "$file"
		exit
	fi
	say "empegsync install (chmod 755 $file, and -n shows what that does)"
	exit 0
fi

trap finish 0
trap 'exit 129' 1
trap 'exit 130' 2
trap 'exit 143' 15
unlock
copy
program=$root/drive0/empegsync/empegsync
if test -f "$program"; then
	"$new" install --root "$root/" --from "$new"
	exit
fi
mv "$new" "$program" || fail "the program could not be put in its place"
new=
"$program" install --root "$root/"
