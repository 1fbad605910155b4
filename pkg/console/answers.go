package console

import (
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/role"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// ParseAnswers reads a file of answers, for who does not want to be asked: lines
// "name = value" with the names hostname, role, master, pull at boot, drives,
// writable, user, password, master user and master password. What is not in it
// stays as it is in s.
func ParseAnswers(name string, text []byte, s Setup, checkName func(string) error) (Setup, error) {
	boolean := func(to *bool) func(string) error {
		return func(value string) (err error) {
			*to, err = conf.ParseBool(value)
			return err
		}
	}
	checked := func(to *string, check func(string) error) func(string) error {
		return func(value string) error {
			*to = value
			if value == "" {
				return nil
			}
			return check(value)
		}
	}
	any := func(string) error { return nil }
	err := conf.ParseOwn(name, text,
		conf.Own{Name: "hostname", Set: checked(&s.Hostname, checkName)},
		conf.Own{Name: "role", Set: func(value string) (err error) {
			s.Role, err = role.ParseRole(value)
			return err
		}},
		conf.Own{Name: "master", Set: checked(&s.Master, role.CheckMaster)},
		conf.Own{Name: "pull at boot", Set: boolean(&s.PullAtBoot)},
		conf.Own{Name: "drives", Set: func(value string) error {
			s.Drives = strings.Fields(value)
			for _, d := range s.Drives {
				if d != "drive0" && d != "drive1" {
					return fmt.Errorf("%q is no drive; there are drive0 and drive1", d)
				}
			}
			return nil
		}},
		conf.Own{Name: "writable", Set: boolean(&s.Writable)},
		conf.Own{Name: "user", Set: checked(&s.User, checkUser)},
		conf.Own{Name: "password", Set: checked(&s.Password, any)},
		conf.Own{Name: "master user", Set: checked(&s.MasterUser, checkUser)},
		conf.Own{Name: "master password", Set: checked(&s.MasterPassword, any)},
	)
	switch {
	case err != nil:
		return s, err
	case s.Role.Pulls() && s.PullAtBoot && s.Master == "":
		return s, fmt.Errorf("%s: \"pull at boot\" needs a \"master\"", name)
	case s.Role.Serves() && len(s.Drives) == 0:
		return s, fmt.Errorf("%s: a %s needs \"drives\" to serve", name, s.Role)
	}
	return s, nil
}
