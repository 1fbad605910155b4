package filter

// Glob reports whether all of text is what pattern says: ? for one byte that
// is no slash, * for any number of those, ** for any bytes, classes in
// brackets, and a backslash before a byte that stands for itself. Its time is
// bounded by the product of both lengths. // lib/wildmatch.c:wildmatch
func Glob(pattern, text string) bool { return glob(pattern, text) }
