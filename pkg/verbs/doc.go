// Package verbs reads a command line of verbs, each with flags and arguments of
// its own, into a struct whose tags describe them. Its tags are those of
// alecthomas/kong, of which it understands what this program uses:
//
//	cmd:""           the field, a struct, is a verb; its verbs may be within
//	arg:""           the field is an argument by its place, else it is a flag
//	help:"TEXT"      what it is
//	name:"NAME"      its name, else the field's in lower case with dashes
//	short:"x"        a flag's letter
//	default:"VALUE"  what it is when nothing is said; of a verb, "withargs" has
//	                 it stand for the one around it
//	placeholder:"X"  what to call the value in the help
//	enum:"a,b,"      the values that it may have
//	negatable:""     a bool that also takes --no-NAME
//	optional:""      an argument that may be missing
//	required:""      a flag that may not
//	also:"b,c"       further names of a list's flag; each value is kept as a word
//	                 --NAME=VALUE, for those whose order across names matters
//	passthrough:""   all words from here on, whatever they look like
//	hidden:""        not in the help
//	sep:"none"       a list's values are not split at commas
//	type:"counter"   a number that counts how often it is said
//	type:"path"      a path: "~" at the beginning is the home folder
//	xor:"GROUP"      at most one flag of the group
//
// Fields are bool, string, int, int64, time.Duration and []string. Embedded
// structs lend their fields.
//
// It stands here because of what kong costs on a board: it calls methods by names
// that only the run shows, so that the linker has to keep every exported method
// of every type, which makes this program a quarter larger.
package verbs
