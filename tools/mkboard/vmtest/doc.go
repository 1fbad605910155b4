// Package vmtest boots emulated boards and shows on them, from power-on, what a
// player goes through: see TestVM. scripts/vmtest.sh runs it.
package vmtest
