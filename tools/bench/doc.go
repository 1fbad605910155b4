// Command bench compares this project's engine with rsync 3.5.0 and with
// gokrazy/rsync: how long a pull takes, how much processor time both of its
// sides use, how many bytes cross the wire, how much memory each side needs.
//
//	make bench                               everything, in full size
//	make bench BENCH='-jobs small,delta'     some of it
//	go run ./tools/bench -quick              small sizes: does it all still work?
//	go run ./tools/bench -json > result.json every single run, for further use
//	make bench BENCH='-doc docs/benchmarks.md' write the tables there, between its marks
//
// # How it measures
//
// Each job is done by several pairings of a client and a server, "ours<-rsync"
// being our client that pulls from rsync's daemon. All pairings take turns, one
// run each a round, in reverse order every other round, so that whatever else
// the machine does meets all of them alike. The first round warms up and is
// checked: both trees must be the same, to the byte. From each later round come
// the ratios of every pairing to rsync<-rsync of the same round, and the table
// shows their median. "noise" is the spread of rsync<-rsync itself: the distance
// of its quartiles as a part of its median. Ratios that are closer to 1 than that
// say nothing. On a machine that has other work "chrt -r 10 make bench", as root,
// runs everything before that: then the ratios are those of a quiet machine, but
// for the caches and the memory that others use.
//
//   - wall is the time from the start of the client's process to its end.
//   - cpu is the user and system time of client and server with all of their
//     children, as the kernel counts it (wait4). A server is started for each
//     run and includes its start.
//   - wire is what the client says it has read.
//   - rss is the peak of resident memory (VmHWM) of the largest process of a
//     side, which for rsync is one of two or more. Our processes and all servers
//     are read when they are done, so that nothing is missed; other processes
//     are looked at every few milliseconds.
//
// Everything happens on this machine over the loopback device, in memory if
// /dev/shm has room (-dir names another place): it measures programs, not disks.
// Absolute times are in the output of -json; they are true for one machine and
// one hour, so documents should cite ratios only.
//
// # Jobs
//
//	small   a tree of -files files of 4 KiB, into an empty folder
//	big     one file of -big MiB of random bytes, into an empty folder
//	same    -unchanged files and the big one again, nothing changed
//	delta   the big file, 1% of its blocks of 32 KiB changed
//	text    -text MiB of text with -z, into an empty folder
//	greet   -greetings pulls of one small file, one after the other: what a session costs
//	night   the second run of a backup (--link-dest) of -nightly files that hold next to
//	        nothing, one in a hundred changed
//	emerge  a portage-like tree of -ebuilds small files, new and unchanged, by emerge's options
//	memory  lists of -fids files, new and unchanged, by a 32-bit build of ours
//	size    the stripped ARM binary
//
// # Peers
//
// rsync is the one in PATH. Ours is this program itself, called as
//
//	bench peer pull [-cpuprofile FILE] [-memprofile FILE] RSYNC-ARGUMENTS
//	bench peer serve [-cpuprofile FILE] [-memprofile FILE] -module NAME=DIR
//
// which link pkg/rsync/client and pkg/rsync/daemon and tune the memory as
// empegsync does. -profile DIR has both write pprof files there. gokrazy/rsync is
// built at the version that gokrazy.mod beside this file names, so that the
// module itself does not depend on it; that may need the network once.
//
// A pairing that refuses a job as unsupported (exit code 4) is shown so, and its
// cells fill by themselves once it is supported. A goal that is missed does not
// make the exit code 1, since a busy machine is no fault; an error does.
//
// # What it does not do
//
// It knows no other operating system than Linux, and no network but loopback:
// a slow link hides what it looks for.
package main
