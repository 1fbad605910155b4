// Package authorized makes lines of an authorized_keys file that let a key run
// one command, and adds them to such a file.
//
// The file is replaced in one step, keeps its mode and owner, and is read and
// written without following a link, so that root can do it in a folder that
// belongs to somebody else.
package authorized
