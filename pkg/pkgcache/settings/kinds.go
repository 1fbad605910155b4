package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// words splits a list at white space and commas.
func words(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// The functions below make the setters of parameters of one kind each.

func text(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		*field(s) = v
		return nil
	}
}

func flag(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		*field(s), err = conf.ParseBool(v)
		return err
	}
}

func number(least, most int, field func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%q is no number from %d to %d", v, least, most)
		}
		*field(s) = n
		return nil
	}
}

func size(field func(*Settings) *int64) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		*field(s), err = ParseSize(v)
		return err
	}
}

func duration(field func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		*field(s), err = parseDuration(v)
		return err
	}
}

func list(add func(*Settings, string) error) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		for _, w := range words(v) {
			if err := add(s, w); err != nil {
				return err
			}
		}
		return nil
	}
}
