// Package pkgcache is an HTTP proxy that keeps packages: each file is fetched
// once and served to everyone, whole or not at all. It takes over from
// http-replicator.
//
// A [Cache] is an http.Handler. [Rules] say of each URL under which name its file
// is kept, where else it may be had, and whether it may change. What may not
// change is served from the disk for ever; what may is asked for again when it
// is no longer fresh (RFC 9111), and the last good copy serves when upstream is
// down. The sub-packages do one thing each: store keeps files, fill fetches them.
//
// Requests with a method, a header or an answer that no cache should touch are
// passed through.
package pkgcache
