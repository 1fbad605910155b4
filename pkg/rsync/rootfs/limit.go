package rootfs

// limit is what a Root and its Subs ask before they take up room on the disk.
type limit struct{ charge func(bytes int64) error }

// EntryRoom is what a new name is charged with, in bytes: files without data cost room, too.
const EntryRoom = 512

// Limit has charge called before anything takes up room: with EntryRoom for each new name, with the length of data that is
// written. If it returns an error nothing is written, and the operation fails with that error. It may be called by several
// goroutines at once. Roots that Sub makes from now on ask the same. Limit is called before the Root is used.
func (r *Root) Limit(charge func(bytes int64) error) { r.limit = &limit{charge} }

// fresh is entry for what makes a new name.
func (r *Root) fresh(op, path string, f func(d *dir, base string) error) error {
	if err := r.charge(EntryRoom); err != nil {
		return pathError(op, path, err)
	}
	return r.entry(op, path, true, f)
}

func (r *Root) charge(bytes int64) error { return r.limit.ask(bytes) }

func (l *limit) ask(bytes int64) error {
	if l == nil {
		return nil
	}
	return l.charge(bytes)
}
