// Package boot sets up what a player lacks when it starts and what rsync needs:
// a loopback interface that is up, a host name, /etc/hosts, and the users and
// groups that rsyncd.conf names.
//
// It works in three steps. Observe reads what is there, Plan compares that with
// what is Desired and returns the Actions that lead from one to the other, Apply
// does them. Plan is pure; a plan made after Apply is empty. Run is the three in
// a row:
//
//	system := boot.NewLinux(mounts.NewGuard(mounts.Linux{}, nil))
//	err := boot.Run(ctx, system, "/", boot.Desired{}, boot.Options{
//		Report: func(a boot.Action) { fmt.Println(a) },
//	})
//
// Under a root other than "/" (a player's disk in another machine, a copy) only
// the files are looked after: loopback and host name belong to the system that
// runs. Names below the root are resolved as the player would see them, so a
// link there never leads out of it.
//
// Files are replaced as a whole: a power cut leaves the old one or the new one.
// Every line that another wrote is kept byte for byte. A read-only file system
// is made writable for the writing only, see package mounts. One thing that
// cannot be done does not keep the rest from being done.
//
// The package brings up no other interface and asks nobody for an address: on a
// player that is the player program's own business.
package boot
