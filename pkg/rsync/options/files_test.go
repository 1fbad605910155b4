package options

// fileLines are command lines about how files get into their places.
func fileLines() []string {
	return []string{
		"-b", "-b --backup-dir=bak", "-b --suffix=.x --backup-dir=b", "--backup-dir=./x/", "--backup-dir=. --suffix=z", "--suffix=~",
		"-b --suffix=.bak", "-ba --delete", "--backup-dir=/a/b -b --suffix=q --timeout=4",
	}
}
