package role

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTextIsReadBack(t *testing.T) {
	tests := []Answers{
		{},
		{Role: Master, Drives: []string{"drive0"}},
		{Role: Slave, Master: "kitchen", PullAtBoot: true, MasterUser: "car"},
		{Role: Both, Master: "10.0.0.1:8730", Hostname: "car", Drives: []string{"drive0", "drive1"}, Writable: true},
	}
	for _, a := range tests {
		set, err := Parse("empegsync.conf", []byte(Text(a)), nil)
		if err != nil {
			t.Errorf("%+v: %v\n%s", a, err, Text(a))
			continue
		}
		if diff := cmp.Diff(a, set.Answers()); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if a.MasterUser != "" && set.PasswordFile != PasswordFile {
			t.Errorf("password file %q", set.PasswordFile)
		}
		for _, m := range set.Daemon.Modules {
			if m.Path != "/"+m.Name || m.ReadOnly == a.Writable || m.Exclude != "/empegsync" {
				t.Errorf("module %+v", m)
			}
		}
	}
}

// Every line of the file that a person meets first fits a terminal.
func TestTextFitsATerminal(t *testing.T) {
	text := Text(Answers{Role: Both, Master: "kitchen", Drives: []string{"drive0", "drive1"}, User: "car", MasterUser: "den"})
	for line := range strings.Lines(text) {
		if len(line) > 81 { // with its newline
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.Contains(text, "auth users = car\n    secrets file = "+SecretsFile+"\n") {
		t.Errorf("no user:\n%s", text)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       Settings
		wrong      string
	}{
		{"nothing", "", Settings{Role: Master}, ""},
		{"a master makes a slave", "master = kitchen\n", Settings{Role: Slave, Master: "kitchen"}, ""},
		{"both", "ROLE = Both\nMaster=kitchen:1\npull at boot = yes", Settings{Role: Both, Master: "kitchen:1", PullAtBoot: true}, ""},
		{"windows", "role = slave\r\nmaster = 10.0.0.1\r\n", Settings{Role: Slave, Master: "10.0.0.1"}, ""},
		{"no role", "role = king\n", Settings{}, "x:1: parameter \"role\": \"king\" is no role; there are master, slave and both"},
		{"no boolean", "pull at boot = maybe\n", Settings{}, "x:1: parameter \"pull at boot\": \"maybe\" is not one of"},
		{"pull from nobody", "role = slave\npull at boot = yes\n", Settings{}, "needs a \"master\""},
		{"path", "master = kitchen/drive0\n", Settings{}, "is no machine"},
		{"option", "master = -e\n", Settings{}, "begins with a letter"},
		{"in a module", "[drive0]\npath = /drive0\nrole = slave\n", Settings{}, "x:3: parameter \"role\" concerns the whole program"},
		{"a slip", "rolle = slave\n", Settings{}, "x:1: unknown parameter \"rolle\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse("x", []byte(tt.text), nil)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Daemon = nil
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParse looks for text that makes it panic, or say something that it does not
// take back.
func FuzzParse(f *testing.F) {
	f.Add(Text(Answers{Role: Both, Master: "kitchen", Drives: []string{"drive0"}}))
	f.Add("role = slave\nmaster = a\nhostname = b\n[drive0]\npath=/x\n")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Parse("x", []byte(text), nil)
		if err != nil {
			return
		}
		a := set.Answers()
		if strings.ContainsAny(a.Hostname+a.Master+a.MasterUser, "\\\n") {
			return // a person is not let type those
		}
		again, err := Parse("x", []byte(Text(a)), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, Text(a))
		}
		if diff := cmp.Diff(a.Role, again.Answers().Role); diff != "" {
			t.Error(diff)
		}
	})
}
