// Package synk keeps copies of files on many hosts alike: the newest copy wins.
//
// It runs once and leaves nothing behind. A survey asks all peers at once, over
// ssh, what they have (sha512, time, mode, owner); a planner, a function of
// what was found and nothing else, elects a master for each file or names a
// conflict; an executor has rsync copy from the master to all others and asks
// each for its sum afterwards.
//
//	s := &synk.Run{Peers: peers, Files: files, Shell: synk.Shell{}, Out: out, Err: errOut}
//	outcome, err := s.Do(ctx)
//	os.Exit(outcome.Code())
//
// # What is promised
//
// A content is overwritten only if all its copies are older, beyond doubt, than
// the one that was chosen, or if the user has chosen against it. Times that are
// equal, that lie in the future, or that differ by less than the clocks of the
// hosts do are a conflict, and nothing happens to that file. A file that cannot
// be read is never replaced. A peer that cannot be reached keeps what it has and
// stops nobody else.
//
// # How peers are asked
//
// "ssh HOST synk -s" gets one line of JSON, a [Request], and answers with one,
// an [Answer]. Where there is no synk, a small shell script with stat and
// sha512sum tells the same.
package synk
