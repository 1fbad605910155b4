// Package doctor finds out, before a backup does, whether a machine behind a
// remote shell can be used with rsync: a line a check, each ok or with what is
// wrong and the line to change in which file.
//
// It looks in the order in which things go wrong: whether the host lets us in
// without a question, whether its shell prints nothing of its own and changes no
// byte, whether there is an rsync and what both sides speak, how far the clocks
// are apart, and in the end whether a file goes there and comes back. A key whose
// command= is a daemon or a restricted rsync answers differently, and is asked
// differently. What an answer means is read from the table that explains failing
// transfers, too ([client.Explain]).
package doctor
