// Package consoletest is a serial cable for tests: a player with a shell and rz at
// one end, a terminal device to open at the other, and between them whatever
// happens on cables: a speed that must fit, noise, and a plug that is pulled.
//
//	line := consoletest.Start(t, root)
//	port, err := console.OpenPort(line.Port(), 115200)
package consoletest
