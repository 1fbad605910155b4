package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// Dangers lists what a configuration allows that its writer may not want, a
// line each, with its place. local are the addresses of this machine, as
// [net.InterfaceAddrs] gives them.
func Dangers(cfg *conf.Config, local []net.Addr) []string {
	var list []string
	for _, n := range cfg.Notes {
		list = append(list, n.Error())
	}
	public := publicAddress(cfg.Global.Address, local)
	for i := range cfg.Modules {
		m := &cfg.Modules[i]
		for _, text := range dangersOf(m, public) {
			list = append(list, fmt.Sprintf("%s:%d: module [%s]: %s", m.File, m.Line, m.Name, text))
		}
	}
	return list
}

func dangersOf(m *conf.Module, public string) []string {
	var list []string
	open := len(m.Auths()) == 0
	if open && !m.ReadOnly {
		who := "everybody who can connect"
		if m.HostsAllow != "" {
			who = "every host in \"hosts allow\""
		}
		list = append(list, "can be written to without a password by "+who+"; add \"auth users\" or \"read only = yes\"")
	}
	if who, err := identify(m); err == nil && who.UID == 0 && jailOf(m, true).dir == "" {
		list = append(list, "is served as root without a chroot; give it a uid, or \"use chroot = yes\"")
	}
	if m.InsecureLinks {
		list = append(list, "follows symbolic links of anybody's to its path and its files: who can write in a folder on the way chooses what is served; remove \"insecure links\"")
	}
	if open {
		return list
	}
	switch info, err := os.Stat(m.SecretsFile); {
	case m.SecretsFile == "":
		list = append(list, "asks for passwords, but has no \"secrets file\": nobody can log in")
	case err != nil:
		list = append(list, fmt.Sprintf("nobody can log in: %v", err))
	case info.Mode()&0o006 != 0:
		list = append(list, fmt.Sprintf("%s can be read or written by everybody on this machine; run: chmod 600 %[1]s", m.SecretsFile))
	}
	if public != "" {
		list = append(list, fmt.Sprintf("the daemon listens on %s: over the internet nothing but the password is protected, and that one can be guessed; put a tunnel in front, or name a private \"address\"", public))
	}
	return list
}

// publicAddress finds an address that strangers could reach, "" for none.
func publicAddress(listen string, local []net.Addr) string {
	public := func(a netip.Addr) bool {
		a = a.Unmap()
		return a.IsGlobalUnicast() && !a.IsPrivate()
	}
	if a, err := netip.ParseAddr(listen); err == nil && !a.IsUnspecified() {
		if public(a) {
			return listen
		}
		return ""
	}
	for _, l := range local {
		if p, err := netip.ParsePrefix(l.String()); err == nil && public(p.Addr()) {
			return p.Addr().String()
		}
	}
	return ""
}
