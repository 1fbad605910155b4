package client

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// maxWords bounds the words of a remote-shell command.
const maxWords = 1000

// SplitCommand takes a remote-shell command apart as rsync does: at spaces; a
// part in single or double quotes keeps its spaces, and a quote doubled inside
// of its own kind stands for itself. A backslash means nothing
// (main.c:do_cmd).
func SplitCommand(command string) ([]string, error) {
	var (
		words []string
		word  strings.Builder
		quote byte
		open  bool // a word has begun
	)
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quote != 0 && c == quote && i+1 < len(command) && command[i+1] == quote:
			word.WriteByte(c)
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	switch {
	case quote != 0:
		return nil, proto.Failf(proto.ExitSyntax, "Missing trailing-%c in remote-shell command.", quote)
	case len(words) == 0:
		return nil, proto.Failf(proto.ExitSyntax, "the remote-shell command is empty: give one with -e, such as -e ssh")
	case len(words) > maxWords:
		return nil, proto.Failf(proto.ExitSyntax, "the remote-shell command has more than %d words", maxWords)
	}
	return words, nil
}

// quoting is how the words of a remote command are written.
type quoting struct {
	secluded bool // not at all: they do not pass through a shell
	old      int  // --old-args: 1 leaves paths to the shell, 2 everything
	home     bool // a leading tilde is for the shell
}

// path writes a path.
func (q quoting) path(p string) string {
	if q.secluded || q.old > 0 {
		switch {
		case p == "" && q.secluded:
			return "."
		case strings.HasPrefix(p, "-"):
			return "./" + p
		}
		return p
	}
	return shellPath(p, q.home)
}

// option writes an option; remote says that it is one of --remote-option.
func (q quoting) option(arg string, remote bool) string {
	if q.secluded || q.old > 1 || q.old == 1 && remote {
		return arg
	}
	return shellWord(arg)
}

const (
	shellSpecial = "!#$&;|<>(){}\"'` \t\n"
	shellWild    = "*?[]"
)

// shellPath writes a path so that the other side's shell hands it on as it is,
// with wildcards still at work; "" is where the shell starts. A tilde with a
// slash somewhere behind it stays what it is to a shell, a home directory, as
// does any with home; a leading dash does not become an option
// (options.c:safe_arg).
func shellPath(p string, home bool) string {
	if p == "" {
		return "."
	}
	var b strings.Builder
	switch {
	case p[0] == '-':
		b.WriteString("./")
	case p[0] == '~' && !home && !strings.Contains(p, "/"):
		b.WriteByte('\\')
	}
	for i := range len(p) {
		c := p[i]
		beforeWild := i+1 < len(p) && strings.IndexByte(shellWild, p[i+1]) >= 0
		if strings.IndexByte(shellSpecial, c) >= 0 || c == '\\' && !beforeWild {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// shellWord writes an option so that a shell hands it on as it is.
func shellWord(arg string) string {
	if !strings.ContainsAny(arg, shellSpecial+shellWild+"\\") {
		return arg
	}
	var b strings.Builder
	for i := range len(arg) {
		if strings.IndexByte(shellSpecial+shellWild+"\\", arg[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(arg[i])
	}
	return b.String()
}
