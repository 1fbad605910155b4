#!/usr/bin/env bash
# Fetches the Debian packages that an emulated board is made of, as
# firmware/board/recipe names them, and links their folder: scripts/board-packages.sh LINK.
# They are for ARM and are not installed. apt does it, from the archive that this
# machine has its own packages from, but with lists of its own in the folder, so
# that nothing here changes and no privileges are needed. The folder is the user's
# ($XDG_CACHE_HOME/empegsync/board, else ~/.cache/...): it outlives a clean tree.
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=firmware/board/recipe
link=${1:?usage: scripts/board-packages.sh LINK}
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}
folder=$cache/empegsync/board
mkdir -p "$folder/.apt/lists/partial" "$folder/.apt/cache/archives/partial" "$(dirname "$link")"
rm -rf "$link"
ln -s "$folder" "$link"

# Two that need them at the same time fetch them once.
exec 9>"$folder/.lock"
flock 9

options=(
	-o APT::Architecture=armhf -o APT::Architectures=armhf
	-o "Dir::State::lists=$folder/.apt/lists" -o "Dir::Cache=$folder/.apt/cache" -o Dir::State::status=/dev/null
	# Root's apt would else use a user who may not reach the folder.
	-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3
)

# Prints the packages that the recipe names, the kernel's own instead of the one
# that stands for the newest.
wanted() {
	local kernel
	kernel=$(sed -n 's/^kernel //p' "$recipe")
	apt-cache "${options[@]}" depends "$kernel" | sed -n 's/^ *Depends: \(linux-image-\)/\1/p'
	sed -n 's/^program  *[^ ]*  *\([^ ]*\) .*/\1/p' "$recipe" | sort -u
}

stamp=$folder/.complete-$(cksum <"$recipe" | cut -d' ' -f1)
if [ -e "$stamp" ]; then
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "board-packages: there is no apt-get here; put the armhf packages that $recipe names into $folder and touch $stamp" >&2
	exit 1
fi
# Fetches them all, or says what is missing.
fetch() {
	local packages
	# One list out of several that cannot be had is no reason to stop: what is missing
	# shows below.
	apt-get "${options[@]}" -qq update || :
	mapfile -t packages < <(wanted)
	if ! printf '%s\n' "${packages[@]}" | grep -q '^linux-image-'; then
		echo "board-packages: this machine's package archive has no ARM kernel of Debian's (linux-image-armmp)" >&2
		return 1
	fi
	(cd "$folder" && apt-get "${options[@]}" -qq download "${packages[@]}")
}

echo "fetching the board's packages into $folder"
rm -f "$folder"/*.deb "$folder"/.complete-*
# An archive that is just being renewed has lists and packages that do not agree.
for pause in 20 60 0; do
	if fetch; then
		touch "$stamp"
		(cd "$folder" && ls -1 -- *.deb)
		exit 0
	fi
	sleep "$pause"
done
echo "board-packages: the packages could not be fetched" >&2
exit 1
