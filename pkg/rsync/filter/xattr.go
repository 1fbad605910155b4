package filter

import "slices"

// HasXattr reports whether some rule is about extended attributes (modifier x).
// Then the rules alone decide which of them are copied. // exclude.c: saw_xattr_filter
func (r *Rules) HasXattr() bool {
	return slices.ContainsFunc(r.list, func(x *rule) bool { return x.flags&xattr != 0 })
}
