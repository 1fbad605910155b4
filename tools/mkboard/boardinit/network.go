package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// network is the section of that name in a player's config.ini, as far as the
// emulated board has use for it.
type network struct {
	address netip.Prefix
}

// networkOf reads config.ini. DHCP is not there on the boards' network.
func networkOf(config string) (network, error) {
	var n network
	values := make(map[string]string)
	section := ""
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.ToLower(strings.Trim(line, "[]"))
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && section == "network" {
			values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	if values["dhcp"] != "0" {
		return n, errors.New("eth0 stays down: config.ini asks for DHCP, which this network does not have")
	}
	address, err := netip.ParseAddr(values["ipaddress"])
	if err != nil {
		return n, fmt.Errorf("ipaddress: %w", err)
	}
	mask, err := netip.ParseAddr(values["netmask"])
	if err != nil || !mask.Is4() || !address.Is4() {
		return n, fmt.Errorf("ipaddress %s with netmask %q: want IPv4", address, values["netmask"])
	}
	bits := 0
	for _, b := range mask.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	n.address = netip.PrefixFrom(address, bits)
	return n, nil
}

// raise gives eth0 the address and brings it up. Nothing is done about loopback:
// on a player it is down.
func (n network) raise() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("eth0")
	if err != nil {
		return err
	}
	mask := ^uint32(0) << (32 - n.address.Bits())
	address := n.address.Addr().As4()
	for _, set := range []struct {
		request uint
		value   [4]byte
	}{
		{unix.SIOCSIFADDR, address},
		{unix.SIOCSIFNETMASK, [4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}},
	} {
		if err := ifr.SetInet4Addr(set.value[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(s, set.request, ifr); err != nil {
			return fmt.Errorf("eth0: %w", err)
		}
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, ifr); err != nil {
		return fmt.Errorf("eth0: %w", err)
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("eth0: %w", err)
	}
	return nil
}
