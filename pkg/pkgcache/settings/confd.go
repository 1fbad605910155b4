package settings

import (
	"fmt"
	"strings"
)

// ConfD reads a file of /etc/conf.d, which the shell would: lines NAME="value",
// in which $NAME stands for what was said before. It returns the words of
// GENERAL_OPTS and DAEMON_OPTS, which are a command line of http-replicator.
// Anything else that a shell could do is an error: nothing is run.
func ConfD(name, data string) ([]string, error) {
	vars := make(map[string]string)
	for i, line := range strings.Split(data, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		variable, rest, ok := strings.Cut(line, "=")
		variable = strings.TrimPrefix(variable, "export ")
		if !ok || !isName(variable) {
			return nil, fmt.Errorf("%s:%d: not a line NAME=\"value\"", name, i+1)
		}
		value, err := unquote(rest, vars)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		vars[variable] = value
	}
	return strings.Fields(vars["GENERAL_OPTS"] + " " + vars["DAEMON_OPTS"]), nil
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" && (s[0] < '0' || s[0] > '9')
}

// unquote reads a value: bare, in double quotes with variables, or in single
// ones; a comment may follow.
func unquote(s string, vars map[string]string) (string, error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '\'':
			b.WriteByte(c)
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (c == ' ' || c == '\t'):
			if rest := strings.TrimSpace(s[i:]); rest != "" && rest[0] != '#' {
				return "", fmt.Errorf("%q follows the value: put all of it in quotes", rest)
			}
			return b.String(), nil
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '`' || c == '$' && strings.HasPrefix(s[i:], "$("):
			return "", fmt.Errorf("a command in the value: only variables are understood")
		case c == '$':
			name, n := variable(s[i+1:])
			if n == 0 {
				return "", fmt.Errorf("what follows $ is not a variable's name")
			}
			b.WriteString(vars[name])
			i += n
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", fmt.Errorf("a quote without its end")
	}
	return b.String(), nil
}

// variable reads NAME or {NAME} and returns how many bytes it took, 0 if there
// is none.
func variable(s string) (name string, n int) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, _, ok = strings.Cut(inner, "}")
		if !ok || !isName(name) {
			return "", 0
		}
		return name, len(name) + 2
	}
	for n < len(s) && isName(s[:n+1]) {
		n++
	}
	return s[:n], n
}
