package boot

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	address := netip.MustParseAddr("192.168.0.7")
	file := func(name, text string) *File { return &File{Name: name, Present: text != "", Data: []byte(text)} }
	bare := func() Observed { // a player that has just started
		return Observed{
			System:     &SystemState{Loopback: &Loopback{}, Hostname: "(none)", Address: address},
			PlayerName: "Kitchen",
			Hosts:      file(hostsFile, ""), Passwd: file(passwdFile, ""), Group: file(groupFile, ""),
		}
	}
	done := Observed{
		System:     &SystemState{Loopback: &Loopback{Up: true, IPv4: true, IPv6: true}, Hostname: "kitchen", Address: address},
		PlayerName: "Kitchen",
		Hosts:      file(hostsFile, "127.0.0.1 localhost\n192.168.0.7 kitchen # empegsync\n"),
		Passwd:     file(passwdFile, "root:x:0:0::/:/bin/sh\nnobody:x:99:99::/:\n"),
		Group:      file(groupFile, "root:x:0:\nnogroup:x:65534:\n"),
	}
	tests := []struct {
		name    string
		o       Observed
		change  func(*Observed)
		desired Desired
		want    []string
	}{
		{"bare", bare(), nil, Desired{}, []string{
			"bring up loopback with 127.0.0.1/8 and ::1",
			`set hostname to "kitchen"`,
			"add 127.0.0.1 localhost and 192.168.0.7 kitchen to /etc/hosts",
			"add user root and user nobody to /etc/passwd",
			"add group root and group nobody to /etc/group",
		}},
		{"done", done, nil, Desired{}, nil},
		{"configured name wins", done, nil, Desired{Hostname: "Car.example"}, []string{
			`set hostname to "Car.example"`,
			"change 192.168.0.7 kitchen to 192.168.0.7 Car.example in /etc/hosts",
		}},
		{"no IPv6", bare(), func(o *Observed) {
			o.System.Loopback.NoIP6 = true
			o.Hosts, o.Passwd, o.Group = nil, nil, nil // unreadable: left alone
		}, Desired{}, []string{"bring up loopback with 127.0.0.1/8", `set hostname to "kitchen"`}},
		{"address missing on lo", done, func(o *Observed) {
			o.System = &SystemState{Loopback: &Loopback{Up: true, IPv6: true}, Hostname: "kitchen", Address: address}
		}, Desired{}, []string{"add 127.0.0.1/8 to loopback"}},
		{"lo down with addresses", done, func(o *Observed) {
			o.System = &SystemState{Loopback: &Loopback{IPv4: true, IPv6: true}, Hostname: "kitchen", Address: address}
		}, Desired{}, []string{"bring up loopback"}},
		{"lo unknown, no name anywhere", done, func(o *Observed) {
			o.System, o.PlayerName = &SystemState{}, ""
		}, Desired{}, []string{
			`set hostname to "empeg"`,
			"change 192.168.0.7 kitchen to 192.168.0.7 empeg in /etc/hosts",
		}},
		{"a computer keeps its own name", done, func(o *Observed) {
			o.System = &SystemState{Hostname: "workbench", Address: address}
			o.PlayerName, o.Hosts = "", nil
		}, Desired{}, nil},
		{"only files", bare(), func(o *Observed) {
			o.System, o.Leftovers = nil, []string{"/etc/.hosts.empegsync-0000000b", "/etc/.group.empegsync-0000000a"}
		}, Desired{}, []string{
			"remove leftover /etc/.group.empegsync-0000000a",
			"remove leftover /etc/.hosts.empegsync-0000000b",
			"add 127.0.0.1 localhost to /etc/hosts",
			"add user root and user nobody to /etc/passwd",
			"add group root and group nobody to /etc/group",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(&tt.o)
			}
			actions, err := Plan(tt.o, tt.desired)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range actions {
				got = append(got, a.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := Plan(done, Desired{Hostname: "my empeg"}); err == nil {
		t.Error("an invalid configured hostname is accepted")
	}
}

func TestPlanHosts(t *testing.T) {
	const local = "127.0.0.1 localhost\n"
	tests := []struct {
		name, text, address, want, summary string
	}{
		{"empty", "", "10.0.0.2", local + "10.0.0.2 kitchen # empegsync\n", "add 127.0.0.1 localhost and 10.0.0.2 kitchen to /etc/hosts"},
		{"no address", "", "", local, "add 127.0.0.1 localhost to /etc/hosts"},
		{"IPv6", local, "fd00::2", local + "fd00::2 kitchen # empegsync\n", "add fd00::2 kitchen to /etc/hosts"},
		{
			"others kept, carriage returns and all", "# mine\r\n127.0.0.1\tlocalhost loghost\r\n\r\n::1 x # y", "10.0.0.2",
			"# mine\r\n127.0.0.1\tlocalhost loghost\r\n\r\n::1 x # y\n10.0.0.2 kitchen # empegsync\n",
			"add 10.0.0.2 kitchen to /etc/hosts",
		},
		{"somebody wrote it", local + "10.0.0.2 my-empeg KITCHEN\n", "10.0.0.2", local + "10.0.0.2 my-empeg KITCHEN\n", ""},
		{
			"somebody gave another address", local + "10.0.0.1 kitchen\n", "10.0.0.2",
			local + "10.0.0.1 kitchen\n10.0.0.2 kitchen # empegsync\n", "add 10.0.0.2 kitchen to /etc/hosts",
		},
		{
			"new address", "10.0.0.1 kitchen # empegsync\r\n" + local + "# end", "10.0.0.2",
			"10.0.0.2 kitchen # empegsync\n" + local + "# end", "change 10.0.0.1 kitchen to 10.0.0.2 kitchen in /etc/hosts",
		},
		{
			"new name, no address yet", local + "10.0.0.1 old # empegsync\n", "",
			local + "10.0.0.1 kitchen # empegsync\n", "change 10.0.0.1 old to 10.0.0.1 kitchen in /etc/hosts",
		},
		{"ours, no address yet", local + "10.0.0.1 kitchen # empegsync\n", "", local + "10.0.0.1 kitchen # empegsync\n", ""},
		{
			"ours and somebody else's", local + "10.0.0.2 kitchen\n10.0.0.1 kitchen # empegsync\n", "10.0.0.2",
			local + "10.0.0.2 kitchen\n", "remove 10.0.0.1 kitchen from /etc/hosts",
		},
		{
			"ours twice", local + "10.0.0.2 kitchen # empegsync\n10.0.0.3 kitchen # empegsync", "10.0.0.2",
			local + "10.0.0.2 kitchen # empegsync\n", "remove 10.0.0.3 kitchen from /etc/hosts",
		},
		{"localhost elsewhere is not enough", "127.0.1.1 localhost\n", "", "127.0.1.1 localhost\n" + local, "add 127.0.0.1 localhost to /etc/hosts"},
		{"a commented line is none", "#127.0.0.1 localhost\n", "", "#127.0.0.1 localhost\n" + local, "add 127.0.0.1 localhost to /etc/hosts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := hostLine{name: "kitchen"}
			if tt.address != "" {
				own.address = netip.MustParseAddr(tt.address)
			}
			got, summary := planHosts([]byte(tt.text), own)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if summary != tt.summary {
				t.Errorf("summary %q, want %q", summary, tt.summary)
			}
			if again, summary := planHosts(got, own); !bytes.Equal(again, got) || summary != "" {
				t.Errorf("a second time: %s\n%s", summary, again)
			}
		})
	}
}

func TestPlanAccounts(t *testing.T) {
	tests := []struct {
		name, text, want, summary string
	}{
		{"empty", "", "root:x:0:\nnobody:x:65534:\n", "add group root and group nobody to /etc/group"},
		{"Debian", "root:x:0:\nnogroup:x:65534:", "root:x:0:\nnogroup:x:65534:", "add  to /etc/group"},
		{"no newline", "rooty:x:1:\r\nnobody:x:99:", "rooty:x:1:\r\nnobody:x:99:\nroot:x:0:\n", "add group root to /etc/group"},
	}
	for _, tt := range tests {
		got, summary := planAccounts([]byte(tt.text), groups(), "group", groupFile)
		if string(got) != tt.want || summary != tt.summary {
			t.Errorf("%s: %q, %q", tt.name, got, summary)
		}
	}
	got, _ := planAccounts(nil, users(), "user", passwdFile)
	if want := "root::0:0:root:/:/bin/sh\nnobody:*:65534:65534:nobody:/:/bin/false\n"; string(got) != want {
		t.Errorf("passwd %q", got)
	}
}

func TestHostnameFrom(t *testing.T) {
	tests := map[string]string{
		"":                        "",
		"kitchen":                 "kitchen",
		"Mike's empeg":            "mikes-empeg",
		"  --Küche & Bad!--  ":    "kuche-bad",
		"\u00c6r\u00f8 Straße":    "aero-strasse",
		"日本":                      "",
		"42":                      "empeg-42",
		"0x1F":                    "empeg-0x1f",
		"10.0.0.1":                "10-0-0-1",
		"localhost":               "",
		"a_b.c":                   "a-b-c",
		strings.Repeat("a", 90):   strings.Repeat("a", 63),
		strings.Repeat("ab ", 30): strings.TrimSuffix(strings.Repeat("ab-", 21), "-"),
		strings.Repeat("7", 90):   "empeg-" + strings.Repeat("7", 57),
		"\x1b[31mred":             "31mred",
	}
	for in, want := range tests {
		if got := HostnameFrom(in); got != want {
			t.Errorf("HostnameFrom(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestValidateHostname(t *testing.T) {
	for _, good := range []string{"empeg", "My-Empeg", "a", "3com", "kitchen.example.org", strings.Repeat("a", 63)} {
		if err := ValidateHostname(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "my empeg", "-a", "a-", "a..b", ".a", "a.", "a_b", "empeg\n", "(none)", "LocalHost", "10", "0x1f", "10.0.0.1",
		strings.Repeat("a", 64), strings.Repeat("a.", 32) + "b", "küche",
	} {
		if err := ValidateHostname(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestParsePlayerName(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"[Options]\nname=Kitchen\n", "Kitchen"},
		{"\ufeff[OPTIONS]\r\n Name = Mike's empeg \r\n", "Mike's empeg"},
		{"name=none\n[network]\nname=wrong\n[ options ]junk\nnames=x\nname=\nname=right\nname=late", "right"},
		{"[options]\n;name=no\nname=K\xfcche\n", "Küche"},
		{"[options]\nname=Küche\n", "Küche"},
		{"[options\rname=a=b", "a=b"},
	}
	for _, tt := range tests {
		if got := ParsePlayerName([]byte(tt.text)); got != tt.want {
			t.Errorf("ParsePlayerName(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

// Whatever a player is called, its host name is one.
func FuzzPlayerName(f *testing.F) {
	f.Add([]byte("[Options]\nname=Mike's empeg\n"))
	f.Add([]byte("[options]\r\nname=K\xfcche \xff\r\n"))
	f.Add([]byte("[options]\nname=0x10"))
	f.Fuzz(func(t *testing.T, config []byte) {
		name := HostnameFrom(ParsePlayerName(config))
		if name == "" {
			return
		}
		if err := ValidateHostname(name); err != nil || strings.Contains(name, ".") || len(name) > labelLimit {
			t.Errorf("HostnameFrom = %q: %v", name, err)
		}
	})
}

// Nothing that another wrote is lost, and a second time there is nothing to do.
func FuzzPlanFiles(f *testing.F) {
	f.Add([]byte("127.0.0.1 localhost\r\n10.0.0.1 a # empegsync\nroot:x:0:"), true)
	f.Add([]byte("# x\n\n::1 localhost"), false)
	f.Add([]byte("10.0.0.2 kitchen#\n10.0.0.2 x # empegsync\n1.2.3.4 y # empegsync"), true)
	f.Fuzz(func(t *testing.T, text []byte, known bool) {
		own := hostLine{name: "kitchen"}
		if known {
			own.address = netip.MustParseAddr("10.0.0.2")
		}
		after, _ := planHosts(text, own)
		rest := string(after)
		for _, line := range bytes.SplitAfter(text, []byte("\n")) {
			if isOurs(line) {
				continue
			}
			i := strings.Index(rest, string(line))
			if i < 0 {
				t.Fatalf("line %q is lost in %q", line, after)
			}
			rest = rest[i+len(line):]
		}
		if again, summary := planHosts(after, own); !bytes.Equal(again, after) {
			t.Errorf("a second time: %s", summary)
		}
		accounts, _ := planAccounts(text, users(), "user", passwdFile)
		if !bytes.HasPrefix(accounts, text) || !hasAccount(accounts, "root") || !hasAccount(accounts, "nobody") {
			t.Errorf("accounts %q", accounts)
		}
	})
}
