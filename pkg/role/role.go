package role

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// Role is a player's part in keeping music in step.
type Role uint8

// The roles.
const (
	Master Role = iota // serves its drives to others
	Slave              // pulls from a master
	Both               // pulls from one, serves to others
)

// Serves reports whether a player of this role serves its drives.
func (r Role) Serves() bool { return r != Slave }

// Pulls reports whether a player of this role has a master.
func (r Role) Pulls() bool { return r != Master }

func (r Role) String() string { return names()[r] }

func names() []string { return []string{"master", "slave", "both"} }

// ParseRole reads what String writes.
func ParseRole(s string) (Role, error) {
	if i := slices.Index(names(), strings.ToLower(s)); i >= 0 {
		return Role(i), nil
	}
	return Master, fmt.Errorf("%q is no role; there are master, slave and both", s)
}

// Settings are what a file says.
type Settings struct {
	Role         Role
	Master       string // host, or host:port; "" if unknown
	PullAtBoot   bool
	Hostname     string // "" for the player's own name
	MasterUser   string // for a master's "auth users"; "" for none
	PasswordFile string // with that user's password; "" for none

	Daemon *conf.Config // what is served
}

// Parse reads the text of the file called name; src as for [conf.Parse]. Without
// the line "role" a file with a master is a slave's, any other a master's. All
// mistakes are told at once, each with its line.
func Parse(name string, text []byte, src conf.Source) (*Settings, error) {
	var s Settings
	given := false
	keep := func(to *string) func(string) error {
		return func(value string) error { *to = value; return nil }
	}
	own := []conf.Own{
		{Name: "role", Set: func(value string) (err error) {
			s.Role, err = ParseRole(value)
			given = true
			return err
		}},
		{Name: "master", Set: func(value string) error {
			s.Master = value
			return CheckMaster(value)
		}},
		{Name: "pull at boot", Set: func(value string) (err error) {
			s.PullAtBoot, err = conf.ParseBool(value)
			return err
		}},
		{Name: "hostname", Set: keep(&s.Hostname)},
		{Name: "master user", Set: keep(&s.MasterUser)},
		{Name: "password file", Set: keep(&s.PasswordFile)},
	}
	cfg, err := conf.Parse(name, text, src, own...)
	if err != nil {
		return nil, err
	}
	if !given && s.Master != "" {
		s.Role = Slave
	}
	if s.Role.Pulls() && s.PullAtBoot && s.Master == "" {
		return nil, fmt.Errorf("%s: \"pull at boot\" needs a \"master\" to pull from", name)
	}
	s.Daemon = cfg
	return &s, nil
}

// CheckMaster says what is wrong with a master's name, as far as that can be said
// without asking the network. None is fine.
func CheckMaster(name string) error {
	if strings.ContainsAny(name, " \t/\\\"'<>|#;=") {
		return fmt.Errorf("%q is no machine; name it as 192.168.0.1, kitchen or kitchen:8730", name)
	}
	if strings.HasPrefix(name, "-") || strings.HasPrefix(name, ":") {
		return errors.New("a machine's name begins with a letter or a digit")
	}
	return nil
}

// Answers are the answers that lead to such settings, as far as a person is asked
// for them: what else stands in the file is not among them.
func (s *Settings) Answers() Answers {
	a := Answers{Hostname: s.Hostname, Role: s.Role, Master: s.Master, PullAtBoot: s.PullAtBoot, MasterUser: s.MasterUser}
	for _, m := range s.Daemon.Modules {
		if m.Name != "drive0" && m.Name != "drive1" {
			continue
		}
		a.Drives = append(a.Drives, m.Name)
		a.Writable = a.Writable || !m.ReadOnly
		a.User = m.AuthUsers
	}
	return a
}
