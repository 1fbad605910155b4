// Package house holds the rules of this source tree as tests: which package may
// import which, where a protocol version may be compared and a file opened, that
// everything is documented, and that nothing grows too long. It has no code that
// other packages could use.
//
//	go test ./pkg/house
//
// Every rule carries its reason, which a failing test prints. A new package needs a
// line in the table of rooms (rooms_test.go); that is meant to make one stop and
// think where it belongs. Rules for packages that do not exist do nothing.
//
// The rules read sources, not types: an alias or a variable in between can hide a
// violation from them. They are there to catch haste, not malice.
package house
