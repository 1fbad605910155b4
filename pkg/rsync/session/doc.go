// Package session opens a conversation between two rsyncs, step by step:
// greeting, module, arguments, then what both speak (version, compatibility
// flags, checksums, seed) and the client's filter list. Each step is a
// function with a client's and a server's side; the sum of them is a
// transfer.Link.
//
// It works on wire readers and writers. Connections, modules and access rules
// are the business of client and daemon.
package session
