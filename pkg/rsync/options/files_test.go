package options

// fileLines are command lines about how files get into their places.
func fileLines() []string {
	return []string{
		"-b", "-b --backup-dir=bak", "-b --suffix=.x --backup-dir=b", "--backup-dir=./x/", "--backup-dir=. --suffix=z", "--suffix=~",
		"-b --suffix=.bak", "-ba --delete", "--backup-dir=/a/b -b --suffix=q --timeout=4",
		"--partial", "--partial --no-partial", "--partial-dir=p", "--partial-dir=a/../b/", "--partial-dir=. --partial", "--partial-dir=/p/q/", "-P",
		"-aP --partial-dir=x", "--delay-updates", "-r --delay-updates --partial-dir=p", "--delay-updates --partial-dir=.~tmp~", "-r --delay-updates",
		"--inplace", "--inplace --partial", "--inplace -S", "--inplace -S --no-W", "--inplace -S -W", "-S", "-S --no-S", "--append", "--append --append",
		"--append-verify", "--append-verify --append", "--append --no-append", "--append --inplace", "--append-verify --partial -z -S",
		"-y", "-yy", "-yyy", "-yy --no-y -y", "-T/var/tmp///", "--temp-dir=t", "--compare-dest=a --compare-dest=b", "--link-dest=/x/", "--copy-dest=../x",
		"-r --delete-delay", "--preallocate", "--write-devices", "--write-devices --inplace --fsync",
		"-abSyy --partial-dir=p -T t --fsync --link-dest=l --preallocate --ignore-existing --checksum-seed=3 --size-only",
		"-ab --inplace -T t --fsync --link-dest=l --write-devices --preallocate --checksum-seed=3 --size-only",
	}
}
