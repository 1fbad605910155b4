package charset

import (
	"fmt"
	"strings"
)

// OpenIn is [Open], where "." stands for the character set of the locale in an
// environment (rsync.c:default_charset).
func OpenIn(env func(name string) (string, bool), name string) (*Conversion, error) {
	if name == "." {
		var err error
		if name, err = locale(env); err != nil {
			return nil, err
		}
	}
	return Open(name)
}

// locale is the character set of an environment, as setlocale(LC_CTYPE, "") and
// nl_langinfo(CODESET) would have it where all locales are installed.
func locale(env func(name string) (string, bool)) (string, error) {
	value := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v, ok := env(name); ok && v != "" {
			value = v
			break
		}
	}
	plain, _, _ := strings.Cut(value, "@")
	_, set, named := strings.Cut(plain, ".")
	switch {
	case named && set != "":
		return set, nil
	case value == "" || value == "C" || value == "POSIX":
		return "US-ASCII", nil
	}
	return "", fmt.Errorf("the locale %q does not say its character set; name it, as in --iconv=utf8", clip(value))
}
