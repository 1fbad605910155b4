// Package report tells how a package cache does: an access log in the common log
// format, a page, and metrics for Prometheus. A [Book] is told of every answer and
// every fetch; it keeps a day in steps of five minutes, and a bounded number of
// upstreams.
package report
