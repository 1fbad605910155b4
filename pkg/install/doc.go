// Package install lays the program on a player so that it starts with it, and
// takes it off again.
//
// Everything lives in one folder of the first drive, /drive0/empegsync, because
// an upgrade of the player's software rewrites the whole root file system. On the
// root lie only links (empegsync, rsync, reindex) and the hook that starts the
// program at boot; "reinstate" lays both anew after an upgrade.
//
// The hook is a script in /etc/preinit.d where a player has that, else a wrapper
// around /empeg/bin/player, which is kept as a second name of the same file. Both
// start the program in the background and look after nothing else: whether it is
// there, broken or hangs, the player starts just the same. Where neither is
// possible the line to add by hand is told.
//
// As in package boot there are three steps: Observe reads what is there, Plan
// compares it with what is wanted and returns Actions, Apply does them. Plan is
// pure, and a plan made after Apply is empty. Each action is whole or not done:
// files are written beside their place, forced to the disk and renamed, and the
// hook comes last. So a power cut leaves a player that starts, and installing
// again goes on where it stopped.
//
// Before anything is planned, Check says whether this can run there at all; to a
// player that is too old it tells how it takes part as a stock peer.
package install
