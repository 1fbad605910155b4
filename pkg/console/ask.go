package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/empegsync/empegsync/pkg/role"
)

// Setup is what the dialogue starts from and what it ends with.
type Setup struct {
	role.Answers
	Password       string // for User; "" keeps the one there is
	MasterPassword string // for MasterUser; "" keeps the one there is
}

// Ask is the dialogue.
type Ask struct {
	Terminal *Terminal
	Name     string         // this player's name, for when no hostname is configured
	Drives   []string       // those that are there
	Secret   bool           // there is a password for clients already
	Secret2  bool           // and one for the master
	Find     func() []Found // looks for players in the network
	// CheckName says what is wrong with a host name.
	CheckName func(string) error
}

// Run asks for everything; what is answered with nothing stays as it is in s.
func (a *Ask) Run(s Setup) (Setup, error) {
	a.Terminal.Print(`This sets up empegsync on this player. Enter keeps what stands in [brackets],
"-" empties it. Backspace corrects; ^C ends, and nothing is changed.

`)
	for _, step := range []func(*Setup) error{a.name, a.role, a.master, a.atBoot, a.masterUser, a.drives, a.writable, a.user} {
		if err := step(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// question asks until check is content. Nothing stands for the value that is there,
// "-" for none.
func (a *Ask) question(text, now string, check func(answer string) error) error {
	for {
		shown := ""
		if now != "" {
			shown = " [" + now + "]"
		}
		a.Terminal.Print("%s%s: ", text, shown)
		answer, err := a.Terminal.ReadLine(false)
		if err != nil {
			return err
		}
		switch answer {
		case "":
			answer = now
		case "-":
			answer = ""
		}
		if err := check(answer); err == nil {
			return nil
		} else {
			a.Terminal.Print("  %v\n", err)
		}
	}
}

func (a *Ask) name(s *Setup) error {
	now := s.Hostname
	if now == "" {
		now = a.Name
	}
	return a.question("Its name in the network", now, func(answer string) error {
		if answer == "" || answer == a.Name {
			s.Hostname = "" // the player's own, also when that changes
			return nil
		}
		if err := a.CheckName(answer); err != nil {
			return err
		}
		s.Hostname = answer
		return nil
	})
}

func (a *Ask) role(s *Setup) error {
	a.Terminal.Print("\nmaster: others fetch its music. slave: it fetches a master's. both: both.\n")
	return a.question("Its role", s.Role.String(), func(answer string) (err error) {
		s.Role, err = role.ParseRole(answer)
		return err
	})
}

func (a *Ask) master(s *Setup) error {
	if !s.Role.Pulls() {
		s.Master, s.PullAtBoot, s.MasterUser = "", false, ""
		return nil
	}
	a.Terminal.Print("\nLooking for other players ... ")
	found := a.Find()
	a.Terminal.Print("%d found\n", len(found))
	for i, f := range found {
		a.Terminal.Print("  %d  %-20s %s\n", i+1, f.Name, f.Address)
	}
	text := "Its master (name or address)"
	if len(found) > 0 {
		text = "Its master (a number of the list, name or address)"
		if s.Master == "" {
			s.Master = found[0].Address.String()
		}
	}
	return a.question(text, s.Master, func(answer string) error {
		if n, err := strconv.Atoi(answer); err == nil {
			if n < 1 || n > len(found) {
				return fmt.Errorf("there is no %d in the list", n)
			}
			answer = found[n-1].Address.String()
		}
		if err := role.CheckMaster(answer); err != nil {
			return err
		}
		s.Master = answer
		return nil
	})
}

func (a *Ask) atBoot(s *Setup) error {
	if !s.Role.Pulls() || s.Master == "" {
		s.PullAtBoot = false
		return nil
	}
	return a.yesNo("Pull at every start, if the master is there", &s.PullAtBoot)
}

func (a *Ask) masterUser(s *Setup) error {
	if !s.Role.Pulls() {
		return nil
	}
	err := a.question("As whom to connect, if the master asks for a password (- for nobody)", s.MasterUser, func(answer string) error {
		s.MasterUser = answer
		return checkUser(answer)
	})
	if err != nil || s.MasterUser == "" {
		return err
	}
	return a.password(s.MasterUser, a.Secret2, &s.MasterPassword)
}

func (a *Ask) drives(s *Setup) error {
	if !s.Role.Serves() {
		s.Drives, s.Writable, s.User = nil, false, ""
		return nil
	}
	now := s.Drives
	if len(now) == 0 {
		now = a.Drives
	}
	return a.question("\nDrives that others may fetch from", strings.Join(now, " "), func(answer string) error {
		list := strings.FieldsFunc(answer, func(r rune) bool { return r == ' ' || r == ',' })
		for i, d := range list {
			if d != "drive0" && d != "drive1" || slices.Index(list, d) != i {
				return fmt.Errorf("say drive0, drive1 or both, not %q", answer)
			}
		}
		if len(list) == 0 {
			return fmt.Errorf("a master needs a drive to serve")
		}
		s.Drives = list
		return nil
	})
}

func (a *Ask) writable(s *Setup) error {
	if !s.Role.Serves() {
		return nil
	}
	return a.yesNo("May others also write to them", &s.Writable)
}

func (a *Ask) user(s *Setup) error {
	if !s.Role.Serves() {
		return nil
	}
	err := a.question("Who may connect, with a password (- for everybody, without)", s.User, func(answer string) error {
		s.User = answer
		return checkUser(answer)
	})
	if err != nil || s.User == "" {
		return err
	}
	return a.password(s.User, a.Secret, &s.Password)
}

// password asks for a password that is not shown. Nothing keeps the one there is.
func (a *Ask) password(user string, there bool, to *string) error {
	for {
		keep := ""
		if there {
			keep = " [as it is]"
		}
		a.Terminal.Print("Password of %s%s: ", user, keep)
		answer, err := a.Terminal.ReadLine(true)
		if err != nil {
			return err
		}
		if answer != "" || there {
			*to = answer
			return nil
		}
		a.Terminal.Print("  it cannot be empty\n")
	}
}

func (a *Ask) yesNo(text string, value *bool) error {
	now := "no"
	if *value {
		now = "yes"
	}
	return a.question(text, now, func(answer string) error {
		switch strings.ToLower(answer) {
		case "yes", "y":
			*value = true
		case "no", "n":
			*value = false
		default:
			return fmt.Errorf("say yes or no")
		}
		return nil
	})
}

// Confirm asks one last thing; only "yes" is yes.
func (a *Ask) Confirm(text string) (bool, error) {
	yes := false
	err := a.yesNo(text, &yes)
	return yes, err
}

// checkUser says what is wrong with a user's name: it stands before a colon in a
// file, and beside others in a list. // authenticate.c:check_secret
func checkUser(name string) error {
	if strings.ContainsAny(name, ":,@# \t") {
		return fmt.Errorf("a user's name has no blank, colon, comma, # or @")
	}
	return nil
}
