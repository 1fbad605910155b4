// Package filter is rsync's filter language as a library: it parses rules,
// decides about names, and writes and reads the rules that one side tells the
// other. It follows the section FILTER RULES of rsync's manual.
//
// The package is pure. It opens nothing itself: merge files come through the
// functions that the caller hands in, which is where access is confined. It
// knows no protocol numbers either; what a peer understands is a [Dialect].
//
// A [Rules] is the ordered list that options build up. A [Scope] is that list
// seen from one directory of a transfer, with the per-directory merge files
// found on the way down; it never changes, so a scope may be kept with its
// directory and shared between goroutines:
//
//	rules := filter.New(filter.Options{})
//	err := rules.Add("- *.tmp")
//	err = rules.AddExclude("/lost+found/")
//	top := rules.Scope("/", readFile)
//	scope, err := top.Enter("fids")        // for every directory entered
//	if scope.Check("fids/10f0", false, filter.Sender) == filter.Exclude { ... }
//
// The first rule that matches decides, and a name that no rule matches is
// included. Excluding a directory excludes what is below it only because a walk
// does not enter it: Check looks at the one name that it is given. The transfer
// root itself (".") is never asked about.
//
// Matching takes time in proportion to the lengths of pattern and name, their
// product at worst, whatever a peer puts into a pattern.
package filter
