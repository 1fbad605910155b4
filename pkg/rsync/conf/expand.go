package conf

import (
	"slices"
	"strings"
)

// maxExpanded bounds what one value may grow to. rsync allows 2048 bytes more
// than the value has; a value from the environment is rarely longer.
const maxExpanded = 64 << 10

// Expand replaces each %VAR%, where VAR begins with a capital letter, by what
// env says. A variable that is not set, and a % that belongs to no reference,
// stay as they are; so does "%%", whatever rsyncd.conf(5) promises of it.
// What is put in is not looked at again, so that a value from a client cannot
// bring in another variable. A value that would grow beyond 64 KiB stays as it
// was. // loadparm.c:expand_vars
func Expand(s string, env func(name string) (string, bool)) string {
	if env == nil || !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	last := strings.LastIndexByte(s, '%')
	for i := 0; i < len(s); {
		if s[i] == '%' && i < last && s[i+1] >= 'A' && s[i+1] <= 'Z' {
			name, _, _ := strings.Cut(s[i+1:], "%")
			if value, ok := env(name); ok {
				if b.Len()+len(value) > maxExpanded {
					return s
				}
				b.WriteString(value)
				i += len(name) + 2
				continue
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// Expanded gives a copy with all %VAR% references replaced. rsync does it as
// late as a string is used, so that RSYNC_USER_NAME and its like, known only
// once a client has come, can stand in a path.
func (m Module) Expanded(env func(name string) (string, bool)) Module {
	for _, s := range []*string{
		&m.Path, &m.Comment, &m.UID, &m.GID, &m.Filter, &m.Include, &m.Exclude, &m.LogFile,
		&m.AuthUsers, &m.SecretsFile, &m.AuthDigest, &m.HostsAllow, &m.HostsDeny, &m.LockFile,
		&m.IncludeFrom, &m.ExcludeFrom, &m.IncomingChmod, &m.OutgoingChmod, &m.LogFormat, &m.SyslogTag,
	} {
		*s = Expand(*s, env)
	}
	m.RefuseOptions = slices.Clone(m.RefuseOptions)
	if words := strings.Join(m.RefuseOptions, " "); strings.Contains(words, "%") {
		m.RefuseOptions = strings.Fields(Expand(words, env))
	}
	return m
}

// Expanded gives a copy with all %VAR% references replaced.
func (g Global) Expanded(env func(name string) (string, bool)) Global {
	for _, s := range []*string{
		&g.Address, &g.MotdFile, &g.PidFile, &g.LogFile, &g.DaemonUID, &g.DaemonGID, &g.DaemonChroot, &g.ProxyHosts,
		&g.SocketOptions, &g.StatusAddress, &g.StatusNames,
	} {
		*s = Expand(*s, env)
	}
	return g
}
