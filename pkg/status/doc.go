// Package status is what the pages that tell how a server does have in common:
// their look, a plot as SVG, Prometheus' text format, and the check of the name
// under which they are asked for.
//
// It makes bytes of values and knows no HTTP server, so that small programs may
// use it, too. Everything that it is given is escaped.
package status
