// Command compare looks for jobs that we do differently from rsync.
//
//	compare -ours bin/empegsync -seed 1 -runs 1000
//
// From each seed it makes a job: a sandbox of folders with one of everything that
// a disk may hold, a command line, and a way to run it (a copy on one machine, over
// a remote shell, with a daemon's module; both sides ours, or one of them). rsync
// does the job with itself, then the same job is done with us, in a sandbox made
// anew at the same place. What is left of the sandbox, the lines printed and the exit
// code must be the same. What rsync itself does not do the same way twice is passed
// over.
//
// A job that comes out otherwise is made smaller while it still does, and
// printed as a script that needs nothing but rsync, us and the usual programs.
// "compare -seed N" does one job again. What differs on purpose stands in known.go,
// each with its reason.
//
// Owners and devices need root; without it the jobs do without. The program exits with 0 if all jobs came
// out alike, 1 if one did not, and 2 when it was called wrongly.
package main
