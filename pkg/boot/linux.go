package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// Linux is the System that runs. It acts on the network and UTS namespaces of
// the process.
type Linux struct {
	*mounts.Guard
}

// NewLinux returns the running system. The guard is the process's own one.
func NewLinux(guard *mounts.Guard) *Linux { return &Linux{Guard: guard} }

// loopbackName is what Linux calls the interface in every network namespace.
const loopbackName = "lo"

func loopbackAddresses() (ipv4, ipv6 netip.Prefix) {
	return netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")
}

// Loopback reads the state of lo through netlink.
func (*Linux) Loopback() (Loopback, error) {
	link, err := netlink.LinkByName(loopbackName)
	if err != nil {
		return Loopback{}, fmt.Errorf("interface %s: %w", loopbackName, err)
	}
	addresses, err := addressList(link)
	if err != nil {
		return Loopback{}, fmt.Errorf("addresses of %s: %w", loopbackName, err)
	}
	ipv4, ipv6 := loopbackAddresses()
	lo := Loopback{Up: link.Attrs().Flags&net.FlagUp != 0, NoIP6: ipv6Disabled()}
	for _, a := range addresses {
		switch prefix(a) {
		case ipv4:
			lo.IPv4 = true
		case ipv6:
			lo.IPv6 = true
		}
	}
	return lo, nil
}

// RaiseLoopback brings lo up, upon which the kernel usually gives it both
// addresses itself, and adds those that are still missing.
func (*Linux) RaiseLoopback(a RaiseLoopback) error {
	link, err := netlink.LinkByName(loopbackName)
	if err != nil {
		return fmt.Errorf("interface %s: %w", loopbackName, err)
	}
	if a.Up {
		if err := netlink.LinkSetUp(link); err != nil {
			return onlyRoot(err)
		}
	}
	ipv4, ipv6 := loopbackAddresses()
	if a.IPv4 {
		if err := addAddress(link, ipv4); err != nil {
			return err
		}
	}
	if !a.IPv6 {
		return nil
	}
	// A kernel without IPv6, or with it switched off, says one of these.
	err = addAddress(link, ipv6)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EACCES) {
		return nil
	}
	return err
}

func addAddress(link netlink.Link, p netip.Prefix) error {
	address := &netlink.Addr{IPNet: &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
	if err := netlink.AddrAdd(link, address); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add %s: %w", p, onlyRoot(err))
	}
	return nil
}

// ipv6Disabled asks the kernel's switch for lo. Without /proc nothing is known,
// and RaiseLoopback finds out.
func ipv6Disabled() bool {
	const conf = "/proc/sys/net/ipv6/conf/"
	value, err := os.ReadFile(conf + loopbackName + "/disable_ipv6")
	if errors.Is(err, fs.ErrNotExist) {
		_, procErr := os.Stat("/proc/self")
		return procErr == nil // no IPv6 in this kernel
	}
	return err == nil && strings.TrimSpace(string(value)) != "0"
}

// Hostname returns the node name of uname(2).
func (*Linux) Hostname() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(name.Nodename[:]), nil
}

// SetHostname calls sethostname(2).
func (*Linux) SetHostname(name string) error {
	return onlyRoot(unix.Sethostname([]byte(name)))
}

// onlyRoot says who may, where an ordinary user has tried.
func onlyRoot(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w (only root may)", err)
	}
	return err
}

// unusable are flags of IPv6 addresses that nobody should be told: not yet
// checked, found twice, about to go, or made up for outgoing calls.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY

// Address looks at the interfaces in the kernel's order.
func (*Linux) Address() (netip.Addr, error) {
	links, err := retryDump(netlink.LinkList)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list interfaces: %w", err)
	}
	slices.SortFunc(links, func(a, b netlink.Link) int { return a.Attrs().Index - b.Attrs().Index })
	var ipv6 netip.Addr
	for _, link := range links {
		if flags := link.Attrs().Flags; flags&net.FlagUp == 0 || flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := addressList(link)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("addresses of %s: %w", link.Attrs().Name, err)
		}
		for _, a := range addresses {
			address := prefix(a).Addr()
			switch {
			case !address.IsGlobalUnicast() || a.Flags&unusable != 0:
			case address.Is4():
				return address, nil
			case !ipv6.IsValid():
				ipv6 = address
			}
		}
	}
	return ipv6, nil
}

// WaitAddress looks again whenever the kernel tells of a new address, and every
// second because an interface may come up without one.
func (l *Linux) WaitAddress(ctx context.Context) (netip.Addr, error) {
	updates, done := make(chan netlink.AddrUpdate, 16), make(chan struct{})
	if err := netlink.AddrSubscribe(updates, done); err != nil {
		updates = nil // then only every second
	} else {
		defer func(updates chan netlink.AddrUpdate) {
			close(done)
			for range updates { // until the subscription has ended
			}
		}(updates)
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		address, err := l.Address()
		if err != nil || address.IsValid() {
			return address, err
		}
		select {
		case <-ctx.Done():
			return netip.Addr{}, fmt.Errorf("wait for an address: %w", ctx.Err())
		case _, ok := <-updates:
			if !ok {
				updates = nil
			}
		case <-ticker.C:
		}
	}
}

func addressList(link netlink.Link) ([]netlink.Addr, error) {
	return retryDump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
}

// retryDump repeats a listing during which something changed, a few times.
func retryDump[T any](list func() ([]T, error)) ([]T, error) {
	for range 3 {
		if all, err := list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return list()
}

// prefix converts an address; the zero Prefix if it has none.
func prefix(a netlink.Addr) netip.Prefix {
	if a.IPNet == nil {
		return netip.Prefix{}
	}
	address, ok := netip.AddrFromSlice(a.IP)
	if !ok {
		return netip.Prefix{}
	}
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(address.Unmap(), bits)
}

// owner takes the owner from what stat(2) said.
func owner(info fs.FileInfo) (uid, gid uint32, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return st.Uid, st.Gid, true
}
