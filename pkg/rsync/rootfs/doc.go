// Package rootfs is the engine's only door to the disk: file access confined below one directory, the root.
//
// Names in a transfer come from a peer that may be hostile, and the tree itself may be changed by other local users while we
// work. So a [Root] takes relative, slash-separated names only, resolves the directory part of a name without following any
// symbolic link, and then acts on the last component through the directory's descriptor, again without following a link. No
// "..", absolute name, link or race between the two can make an operation touch anything outside.
//
//	root, err := rootfs.Open("/drive0")
//	if err != nil { ... }
//	defer root.Close()
//	tmp, err := root.CreateTemp("fids/120")
//	if err != nil { ... }
//	defer tmp.Abort()
//	if _, err := tmp.Write(body); err != nil { ... }
//	if err := tmp.SetMetadata(meta); err != nil { ... }
//	err = tmp.Commit("fids/120")
//
// # Names
//
// A name is "." (the root itself) or components joined by single slashes, each neither "." nor "..". [CheckPath] is the rule;
// every method applies it. Bytes other than NUL and slash are taken as they are; names need not be UTF-8.
//
// # Links
//
// A symbolic link as last component is itself the thing acted on; where that makes no sense (reading it as a file) it is
// refused. A link in the directory part is [ErrSymlink]. The ways through a link are [Root.Sub], which follows links as long as
// they stay inside and returns a new, again strict, Root; [Root.Stat]; and [Root.Following], for the options that ask for it,
// whose Root goes on following them, and never out of the first.
//
// What confinement means for directories that strangers move: a directory that is moved away while a handle to it is
// held keeps being that directory. Someone who may move a directory out of the tree owns its contents anyway; what cannot
// happen is that we enter a directory that was never below the root. Mount points are crossed ([RemoveOptions] can stop at
// them).
//
// # Speed
//
// Directory handles are kept in a small cache, so that the files of one directory cost one system call per step: create,
// write, chmod, utimens, rename, close for a new file, one fstatat for an unchanged one. The kernel's openat2 resolves a
// directory in one call where there is one (Linux 5.6); elsewhere a walk of openat calls does the same, component by component.
// Files use raw descriptors rather than os.File: regular files never poll, so the runtime's poller would be pure cost.
//
// # Durability
//
// Nothing is synced unless asked. [Temp.Commit] replaces atomically as seen by other processes; after a power cut a file is
// surely whole only if [File.Sync] was called before the commit (and [Root.SyncDir] after it, to keep the new name), or
// [Root.SyncFS] before whatever relies on the whole set.
//
// # Errors
//
// Errors are *fs.PathError with the path relative to the root; errors.Is works with [fs.ErrNotExist] and friends, with
// syscall.Errno values, and with the Err variables of this package.
//
// What this package does not do: it does not map user names, decide what to delete, or change the process's umask, which
// applies to Mkdir, Mknod and OpenWrite as usual (SetMetadata sets exact bits). It needs Linux 3.2 or later and is safe in a
// chroot without /proc.
package rootfs
