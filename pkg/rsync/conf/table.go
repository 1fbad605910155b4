package conf

// Params gives the table of all parameters of rsync 3.5.0's rsyncd.conf(5) and of
// this program's own, in the order of scope and name. A row becomes supported by
// naming the field it is kept in.
func Params() []Param {
	return append(globalParams(), moduleParams()...)
}

func globalParams() []Param {
	const g = ScopeGlobal
	return []Param{
		{Name: "address", Scope: g, field: func(g *Global, _ *Module) any { return &g.Address }},
		{Name: "connections per address", Scope: g, Kind: KindInt, Default: "0", Extension: true, field: func(g *Global, _ *Module) any { return &g.PerAddress }},
		{Name: "daemon chroot", Scope: g, field: func(g *Global, _ *Module) any { return &g.DaemonChroot }},
		{Name: "daemon gid", Scope: g, field: func(g *Global, _ *Module) any { return &g.DaemonGID }},
		{Name: "daemon uid", Scope: g, field: func(g *Global, _ *Module) any { return &g.DaemonUID }},
		{Name: "listen backlog", Scope: g, Kind: KindInt, Default: "0", field: func(g *Global, _ *Module) any { return &g.ListenBacklog }},
		{Name: "log json", Scope: g, Kind: KindBool, Default: "no", Extension: true, field: func(g *Global, _ *Module) any { return &g.LogJSON }},
		{Name: "motd file", Scope: g, field: func(g *Global, _ *Module) any { return &g.MotdFile }},
		{Name: "pid file", Scope: g, field: func(g *Global, _ *Module) any { return &g.PidFile }},
		{Name: "port", Scope: g, Kind: KindInt, Default: "0", field: func(g *Global, _ *Module) any { return &g.Port }},
		{Name: "proxy protocol", Scope: g, Kind: KindBool, Default: "no", field: func(g *Global, _ *Module) any { return &g.ProxyProtocol }},
		{Name: "proxy protocol hosts", Scope: g, field: func(g *Global, _ *Module) any { return &g.ProxyHosts }},
		{Name: "socket options", Scope: g, field: func(g *Global, _ *Module) any { return &g.SocketOptions }},
		{Name: "status address", Scope: g, Extension: true, field: func(g *Global, _ *Module) any { return &g.StatusAddress }},
		{Name: "status names", Scope: g, Extension: true, field: func(g *Global, _ *Module) any { return &g.StatusNames }},
		{Name: "total connections", Scope: g, Kind: KindInt, Default: "0", Extension: true, field: func(g *Global, _ *Module) any { return &g.TotalConnections }},
	}
}

func moduleParams() []Param {
	return []Param{
		{Name: "auth digest", field: func(_ *Global, m *Module) any { return &m.AuthDigest }},
		{Name: "auth users", field: func(_ *Global, m *Module) any { return &m.AuthUsers }},
		{Name: "bandwidth", Kind: KindRate, Default: "0", Extension: true, field: func(_ *Global, m *Module) any { return &m.Bandwidth }},
		{Name: "bandwidth per address", Kind: KindRate, Default: "0", Extension: true, field: func(_ *Global, m *Module) any { return &m.BandwidthPerAddress }},
		{Name: "charset", field: func(_ *Global, m *Module) any { return &m.Charset }},
		{Name: "comment", field: func(_ *Global, m *Module) any { return &m.Comment }},
		{Name: "dont compress", field: func(_ *Global, m *Module) any { return &m.DontCompress }},
		{Name: "early exec", field: func(_ *Global, m *Module) any { return &m.EarlyExec }},
		{Name: "exclude", field: func(_ *Global, m *Module) any { return &m.Exclude }},
		{Name: "exclude from", field: func(_ *Global, m *Module) any { return &m.ExcludeFrom }},
		{Name: "fake super", Kind: KindBool, Default: "no", field: func(_ *Global, m *Module) any { return &m.FakeSuper }},
		{Name: "filter", field: func(_ *Global, m *Module) any { return &m.Filter }},
		{Name: "forward lookup", Kind: KindBool, Default: "yes", field: func(_ *Global, m *Module) any { return &m.ForwardLookup }},
		{Name: "gid", field: func(_ *Global, m *Module) any { return &m.GID }},
		{Name: "hosts allow", field: func(_ *Global, m *Module) any { return &m.HostsAllow }},
		{Name: "hosts deny", field: func(_ *Global, m *Module) any { return &m.HostsDeny }},
		{Name: "ignore errors", Kind: KindBool, Default: "no", field: func(_ *Global, m *Module) any { return &m.IgnoreErrors }},
		{Name: "ignore nonreadable", Kind: KindBool, Default: "no", field: func(_ *Global, m *Module) any { return &m.IgnoreNonreadable }},
		{Name: "include", field: func(_ *Global, m *Module) any { return &m.Include }},
		{Name: "include from", field: func(_ *Global, m *Module) any { return &m.IncludeFrom }},
		{Name: "incoming chmod", field: func(_ *Global, m *Module) any { return &m.IncomingChmod }},
		{Name: "insecure links", Kind: KindBool, Default: "no", field: func(_ *Global, m *Module) any { return &m.InsecureLinks }},
		{Name: "list", Kind: KindBool, Default: "yes", field: func(_ *Global, m *Module) any { return &m.List }},
		{Name: "lock file", Default: "/var/run/rsyncd.lock", field: func(_ *Global, m *Module) any { return &m.LockFile }},
		{Name: "log file", field: func(_ *Global, m *Module) any { return &m.LogFile }},
		{Name: "log format", Default: "%o %h [%a] %m (%u) %f %l", field: func(_ *Global, m *Module) any { return &m.LogFormat }},
		{Name: "max connections", Kind: KindInt, Default: "0", field: func(_ *Global, m *Module) any { return &m.MaxConnections }},
		{Name: "max queue", Kind: KindInt, Default: "0", Extension: true, field: func(_ *Global, m *Module) any { return &m.MaxQueue }},
		{Name: "max transfer time", Kind: KindInt, Default: "0", Extension: true, field: func(_ *Global, m *Module) any { return &m.MaxTransferTime }},
		{Name: "max verbosity", Kind: KindInt, Default: "1", field: func(_ *Global, m *Module) any { return &m.MaxVerbosity }},
		{Name: "munge symlinks", Kind: KindTri, Default: "unset", field: func(_ *Global, m *Module) any { return &m.MungeSymlinks }},
		{Name: "name", advice: "give the name in the [header] and remove the line"},
		{Name: "name converter", field: func(_ *Global, m *Module) any { return &m.NameConverter }},
		{Name: "numeric ids", Kind: KindTri, Default: "unset", field: func(_ *Global, m *Module) any { return &m.NumericIDs }},
		{Name: "open noatime", Kind: KindTri, Default: "unset", field: func(_ *Global, m *Module) any { return &m.OpenNoatime }},
		{Name: "outgoing chmod", field: func(_ *Global, m *Module) any { return &m.OutgoingChmod }},
		{Name: "path", Kind: KindPath, field: func(_ *Global, m *Module) any { return &m.Path }},
		{Name: "post-xfer exec", field: func(_ *Global, m *Module) any { return &m.PostXferExec }},
		{Name: "pre-xfer exec", field: func(_ *Global, m *Module) any { return &m.PreXferExec }},
		{Name: "queue time", Kind: KindInt, Default: "600", Extension: true, field: func(_ *Global, m *Module) any { return &m.QueueTime }},
		{Name: "read only", Kind: KindBool, Default: "yes", field: func(_ *Global, m *Module) any { return &m.ReadOnly }},
		{Name: "refuse options", Kind: KindList, field: func(_ *Global, m *Module) any { return &m.RefuseOptions }},
		{Name: "reverse lookup", Kind: KindBool, Default: "yes", field: func(_ *Global, m *Module) any { return &m.ReverseLookup }},
		{Name: "secrets file", field: func(_ *Global, m *Module) any { return &m.SecretsFile }},
		{Name: "strict modes", Kind: KindBool, Default: "yes", field: func(_ *Global, m *Module) any { return &m.StrictModes }},
		{Name: "syslog facility", field: func(_ *Global, m *Module) any { return &m.SyslogFacility }},
		{Name: "syslog tag", field: func(_ *Global, m *Module) any { return &m.SyslogTag }},
		{Name: "temp dir", Kind: KindPath, field: func(_ *Global, m *Module) any { return &m.TempDir }},
		{Name: "timeout", Kind: KindInt, Default: "0", field: func(_ *Global, m *Module) any { return &m.Timeout }},
		{Name: "transfer logging", Kind: KindBool, Default: "no", field: func(_ *Global, m *Module) any { return &m.TransferLogging }},
		{Name: "uid", field: func(_ *Global, m *Module) any { return &m.UID }},
		{Name: "use chroot", Kind: KindTri, Default: "unset", field: func(_ *Global, m *Module) any { return &m.UseChroot }},
		{Name: "write only", Kind: KindBool, Default: "no", field: func(_ *Global, m *Module) any { return &m.WriteOnly }},
	}
}

// DefaultModule returns a module with every supported parameter at its default.
func DefaultModule() Module {
	return Module{
		ReadOnly: true, List: true, MaxVerbosity: 1, StrictModes: true,
		ReverseLookup: true, ForwardLookup: true, LockFile: "/var/run/rsyncd.lock",
		LogFormat: "%o %h [%a] %m (%u) %f %l", QueueTime: 600,
	}
}
