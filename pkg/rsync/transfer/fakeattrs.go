package transfer

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/acl"
)

// Names of attributes for --fake-super: those that only root could set stand
// behind a prefix that every user may write, and access control lists in
// attributes of rsync's own (xattrs.c: RSYNC_PREFIX, XACC_ACL_ATTR, XDEF_ACL_ATTR).
const (
	fakePrefix  = "user.rsync."
	ownAttrs    = fakePrefix + "%"
	fakeAccess  = ownAttrs + "aacl"
	fakeDefault = ownAttrs + "dacl"
)

// isFakeAttr reports whether an attribute says itself what root would have done.
// (rsync 3.5.0 takes the lists for something that is too much when it sets other
// attributes, so that a later run has to bring them back.)
func isFakeAttr(name string) bool {
	return name == statAttr || name == fakeAccess || name == fakeDefault
}

// aclAttr is the attribute that a list is kept in here.
func (c *common) aclAttr(which string) string {
	switch {
	case !c.fakes():
		return which
	case which == acl.Default:
		return fakeDefault
	}
	return fakeAccess
}

// xattrCalled gives what a received attribute was called where it came from, nil
// if names are what they are (xattrs.c:send_xattr).
func (c *common) xattrCalled() func(name string) string {
	if !c.fakes() {
		return nil
	}
	return func(name string) string {
		// Without a name space it is an attribute of the user's. (C rsync strips all.)
		rest, ok := strings.CutPrefix(name, fakePrefix)
		if ok && rest[:min(1, len(rest))] != "%" && strings.IndexByte(rest, '.') > 0 {
			return rest
		}
		return name
	}
}

// xattrHere gives what an attribute that comes is called here, and whether it is
// taken (xattrs.c:receive_xattr).
func (c *common) xattrHere(name string) (here string, ok bool) {
	if !c.fakes() || strings.HasPrefix(name, "user.") {
		return name, c.keepsXattr(name) && c.travels(name)
	}
	here = fakePrefix + name
	out, _ := c.xattrRule(name)
	return here, !out && !isFakeAttr(here) && c.travels(here)
}
