//go:build race

package interop

// underRace is whether the race detector is at work.
const underRace = true
