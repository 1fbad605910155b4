// Package conf turns the text of an rsyncd.conf into a Config.
//
// It knows the grammar of rsync 3.5.0's file (sections, "name = value",
// comments, continuation lines, &include and &merge, %VAR% references) and
// every parameter of it, from one table. A parameter that this program does
// not act on yet is an error with its file and line, unless the value asks for
// exactly what happens anyway; an unknown one is an error with the nearest
// known name. All errors of a file are found in one go, so that one look at
// the messages is enough to mend it. C rsync, in contrast, logs most of these
// mistakes and serves on.
//
// The package is pure: it looks up no user, opens no file and reads no
// environment by itself. What it needs of the outside comes through Source.
//
//	cfg, err := conf.Parse("/etc/rsyncd.conf", text, src)
//	if err != nil {
//		return err // one line a mistake: "/etc/rsyncd.conf:12: ..."
//	}
//	m, ok := cfg.Module("drive0")
//	m2 := m.Expanded(env) // once the client is known
package conf
