package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// become gives up root for good: for a user, by name or number, with the groups
// that the user is in, or with one group. "" leaves the user or the group alone.
func become(name, group string) error {
	if name == "" && group == "" {
		return nil
	}
	fail := func(err error) error {
		return fmt.Errorf("run as user %q, group %q: %w (only root can; else start it as that user)", name, group, err)
	}
	uid, groups := os.Geteuid(), []int{os.Getegid()}
	if name != "" {
		var err error
		if uid, groups, err = identityOf(name); err != nil {
			return fail(err)
		}
	}
	if group != "" {
		gid, err := strconv.Atoi(group)
		if g, err2 := user.LookupGroup(group); err2 == nil {
			gid, err = strconv.Atoi(g.Gid)
		}
		if err != nil {
			return fail(fmt.Errorf("there is no group %q", group))
		}
		groups = []int{gid}
	}
	if uid == os.Geteuid() && groups[0] == os.Getegid() {
		return nil
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fail(err)
	}
	if err := syscall.Setgid(groups[0]); err != nil {
		return fail(err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fail(err)
	}
	return nil
}

// identityOf looks a user up; the first group is the user's own.
func identityOf(name string) (uid int, groups []int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return 0, nil, fmt.Errorf("there is no user %q", name)
		}
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return 0, nil, err
	}
	groups = []int{gid}
	if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			if n, err := strconv.Atoi(id); err == nil && n != gid {
				groups = append(groups, n)
			}
		}
	}
	return uid, groups, nil
}
