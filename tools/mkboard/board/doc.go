// Package board makes and runs emulated ARM boards that look like a player's
// developer image: a small read-only root file system, two music drives, a serial
// console, and an ethernet interface that the player program brings up.
//
//	base, err := board.BuildBase(ctx, recipe, packages, programs, dir) // once
//	disks, err := base.Disks(ctx, player, dir, board.DiskOptions{})    // a player laid out by playertest
//	m, err := board.Start(ctx, base, disks, board.Options{MemoryMB: 64})
//	err = m.Expect(ctx, "player: playing")
//
// The kernel and its modules are a Debian package, the programs too; nothing else
// comes from outside. QEMU emulates the processor, so that a board boots wherever
// QEMU runs, in about ten seconds, and needs no privileges.
package board
