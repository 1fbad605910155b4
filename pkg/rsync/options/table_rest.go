package options

func outputRows() []row {
	return []row{
		count("verbose", "v", "say more", func(o *Options) *int { return &o.Verbose }).in(both|daemon).asDaemon("v").
			no().undo(func(s *state, _ string) *Error { s.Verbose = 0; return nil }).toServer(2, verboseLetters),
		count("quiet", "q", "say nothing but errors", func(o *Options) *int { return &o.Quiet }).toServer(3, quietLetter),
		count("itemize-changes", "i", "list the changes, one line each", func(o *Options) *int { return &o.Itemize }).from("2.6.4").
			no().undo(func(s *state, _ string) *Error { s.Itemize = 0; return nil }).toServer(105, logFormatWord),
		flag("progress", "", "show progress", func(o *Options) *bool { return &o.Progress }).noLong(),
		value("", "P", "", "the same as --partial --progress", partialProgress).in(client).standsFor("partial"),
		flag("stats", "", "show totals at the end", func(o *Options) *bool { return &o.Stats }).word(128, onlyPush),
		count("human-readable", "h", "show numbers with units; twice: units of 1024", func(o *Options) *int { return &o.HumanReadable }).
			from("2.6.7").no().undo(func(s *state, _ string) *Error { s.HumanReadable = -1; return nil }),
		value("log-format", "", "FORMAT", "an old name of --out-format", logFormat),
		value("out-format", "", "FORMAT", "choose how changes are listed, as in \"%i %n%L\"",
			text(func(o *Options) *string { return &o.OutFormat })).in(client).from("2.6.9"),
		value("log-file", "", "FILE", "log to FILE what is done",
			orDaemon("log file", text(func(o *Options) *string { return &o.LogFile }))).in(both | daemon).
			from("2.6.9").asDaemon(""),
		value("log-file-format", "", "FMT", "choose how changes are logged", text(func(o *Options) *string { return &o.LogFileFormat })).
			from("2.6.9").asDaemon("").but("a daemon's parameter \"log format\" does it"),
		value("info", "", "FLAGS", "choose what to say; --info=help lists it", setInfo).from("3.1.0").toServer(145, infoWord),
		value("debug", "", "FLAGS", "choose what to say for finding faults; --debug=help", setDebug).from("3.1.0"),
		value("stderr", "", "e|a|c", "what goes to the standard error: errors, all, or what the client makes of it", setStderr).from("3.2.3").
			toServer(106, stderrWord),
		value("msgs2stderr", "", "", "an old form of --stderr=all", setMessages(StderrAll)).noLong().undo(setMessages(StderrClient)),
		value("motd", "", "", "show the daemon's message of the day (as is usual)", setMotd(Yes)).in(client).noLong().undo(setMotd(No)),
		flag("8-bit-output", "8", "show names as they are", func(o *Options) *bool { return &o.EightBit }).in(client).from("2.6.7").no(),
		value("outbuf", "", "N|L|B", "buffer output: not, by line, by block", outbuf).in(client).from("3.1.0"),
	}
}

func connectionRows() []row {
	return []row{
		value("timeout", "", "SECONDS", "give up when nothing comes for so long",
			number("timeout", 0, maxInt32, func(o *Options, n int32) { o.Timeout = int(n) })).noLong().
			undo(func(s *state, _ string) *Error { s.Timeout = 0; return nil }).
			toServer(108, intWord("--timeout=", func(o *Options) int64 { return int64(o.Timeout) })),
		value("contimeout", "", "SECONDS", "give up connecting to a daemon after so long",
			number("contimeout", 0, maxInt32, func(o *Options, n int32) { o.Contimeout = int(n) })).from("3.0.0").noLong().
			undo(func(s *state, _ string) *Error { s.Contimeout = 0; return nil }),
		value("port", "", "PORT", "the daemon's port",
			number("port", 0, 65535, func(o *Options, n int32) { o.Port = int(n) })).in(both | daemon).asDaemon(""),
		value("address", "", "ADDRESS", "the local address to use", text(func(o *Options) *string { return &o.Address })).in(both | daemon).asDaemon(""),
		value("ipv4", "4", "", "use IPv4", setFamily(FamilyIPv4)).in(both | daemon).asDaemon("4"),
		value("ipv6", "6", "", "use IPv6", setFamily(FamilyIPv6)).in(both | daemon).asDaemon("6"),
		value("protocol", "", "NUM", "speak at most this version of the protocol",
			number("protocol", 1, maxInt32, func(o *Options, n int32) { o.Protocol = int(n) })).from("2.6.0").in(both | daemon).asDaemon(""),
		value("rsh", "e", "COMMAND", "the remote shell to use", remoteShell),
		value("rsync-path", "", "PROGRAM", "the rsync to run on the other side", text(func(o *Options) *string { return &o.RsyncPath })).in(client),
		value("remote-option", "M", "OPT", "give OPT to the other side only", remoteOption).in(client).from("3.1.0"),
		value("sockopts", "", "OPTIONS", "set socket options",
			orDaemon("socket options", text(func(o *Options) *string { return &o.SockOpts }))).in(client | daemon).from("2.6.7").asDaemon(""),
		value("blocking-io", "", "", "let the remote shell block (here its pipes always do)", nothing).in(client).noLong().undo(nothing),
		value("bwlimit", "", "RATE", "write at most RATE KiB a second", setBwLimit).noLong().
			undo(func(s *state, _ string) *Error { s.BwLimit = 0; return nil }).asDaemon("").but("a daemon's parameter \"bandwidth\" does it").
			toServer(109, intWord("--bwlimit=", func(o *Options) int64 { return o.BwLimit })),
		value("password-file", "", "FILE", "read the daemon's password from FILE (else RSYNC_PASSWORD)",
			text(func(o *Options) *string { return &o.PasswordFile })).in(client),
		value("early-input", "", "FILE", "give FILE to the daemon's early exec", text(func(o *Options) *string { return &o.EarlyInput })).
			in(client).from("3.2.1"),
		value("old-args", "", "", "let the remote shell split arguments", oldArgs).in(client).from("3.2.4").noLong().
			undo(func(s *state, _ string) *Error { s.OldArgs = -1; return nil }),
		value("secluded-args", "s", "", "send arguments within the protocol", setSecluded(Yes)).alias("protect-args").no("protect-args").
			undo(setSecluded(No)).toServer(1, secludedLetter),
		flag("trust-sender", "", "do not check the sender's file list", func(o *Options) *bool { return &o.TrustSender }).in(client).from("3.2.5"),
	}
}

func otherRows() []row {
	return []row{
		value("help", "", "", "show this help (also -h alone)", func(s *state, _ string) *Error { s.Help = true; return nil }).
			in(both | daemon).asDaemon("h"),
		count("version", "V", "show the version; twice: as JSON", func(o *Options) *int { return &o.Version }),
		value("server", "", "", "be the far end of a transfer", becomeServer).in(both | daemon).asDaemon(""),
		value("sender", "", "", "with --server: be the end that sends", setSender),
		value("daemon", "", "", "be a daemon", asDaemonDo(func(s *state, _ string) { s.Daemon = true })).in(both | daemon).asDaemon(""),
		value("config", "", "FILE", "with --daemon: read FILE instead of rsyncd.conf",
			asDaemonDo(func(s *state, arg string) { s.Config = arg })).in(both | daemon).asDaemon(""),
		value("no-detach", "", "", "with --daemon: stay in the foreground", asDaemonDo(func(s *state, _ string) { s.NoDetach = true })).
			in(both | daemon).asDaemon(""),
		value("detach", "", "", "with --daemon: go into the background (as is usual)",
			asDaemonDo(func(s *state, _ string) { s.NoDetach = false })).in(both | daemon).asDaemon(""),
		value("dparam", "", "OVERRIDE", "with --daemon: override a global parameter of rsyncd.conf, as in port=8730",
			asDaemonTry(setOver)).in(both | daemon).asDaemon("M"),
		todo("copy-as", "", "USER[:GROUP]", "copy as another user", "run the whole of it as that user instead").from("3.2.0"),
		value("iconv", "", "CONVERT_SPEC", "convert names between the character sets LOCAL[,REMOTE], as in utf8,iso88591; \".\": the locale's", setIconv).
			from("3.0.0").noLong().undo(noIconv).toServer(100, iconvWord),
		value("stop-after", "", "MINS", "stop after so many minutes", stopAfter).in(client).alias("time-limit").from("3.2.3"),
		value("stop-at", "", "TIME", "stop at a point in time, as in 14:00 or 1-31T8:30", text(func(o *Options) *string { return &o.StopAt })).
			in(client).from("3.2.3"),
	}
}
