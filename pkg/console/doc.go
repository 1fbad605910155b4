// Package console talks over serial lines: to a person who sits at a player's
// console, and, from a PC, to the player at the other end of the cable.
//
// A player's console is a terminal of the simplest kind: 4800 or 115200 baud, with
// or without a vt100 behind it, over a cable that picks up noise. So Terminal asks
// for nothing but a carriage return and a backspace that steps back, takes CR, LF
// or both for the end of a line, and passes over what nobody has typed. Ask is the
// dialogue that sets a player up, Discover finds other players in the network.
//
// From a PC, Link finds out what is at the other end of the line and at which
// speed, and types commands for its shell; Push sends a file with ZMODEM.
package console
