package console

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/role"
)

// dialogue lets somebody type all answers at once.
func dialogue(t *testing.T, typed string, from Setup, change func(*Ask)) (Setup, string, error) {
	t.Helper()
	var shown bytes.Buffer
	term, err := NewTerminal(t.Context(), strings.NewReader(typed), &shown)
	must(t, err)
	a := &Ask{
		Terminal: term, Name: "car", Drives: []string{"drive0", "drive1"},
		Find: func() []Found {
			return []Found{{"kitchen", netip.MustParseAddr("10.0.0.5")}, {"den", netip.MustParseAddr("10.0.0.7")}}
		},
		CheckName: func(name string) error {
			if strings.Contains(name, " ") {
				return errors.New("no blanks")
			}
			return nil
		},
	}
	if change != nil {
		change(a)
	}
	s, err := a.Run(from)
	return s, shown.String(), err
}

func TestAsk(t *testing.T) {
	both := []string{"drive0", "drive1"}
	slave := Setup{Answers: role.Answers{Role: role.Slave, Master: "10.0.0.9", PullAtBoot: true, MasterUser: "car"}}
	tests := []struct {
		name   string
		typed  string
		from   Setup
		change func(*Ask)
		want   Setup
	}{
		{"all defaults", strings.Repeat("\n", 5), Setup{}, nil, Setup{Answers: role.Answers{Drives: both}}},
		{"a slave by number", "\nslave\n2\nyes\n-\n", Setup{}, nil,
			Setup{Answers: role.Answers{Role: role.Slave, Master: "10.0.0.7", PullAtBoot: true}}},
		{"the first one found", "\nslave\n\n\n\n", Setup{}, nil, Setup{Answers: role.Answers{Role: role.Slave, Master: "10.0.0.5"}}},
		{"answers kept", strings.Repeat("\n", 6), slave, func(a *Ask) { a.Secret2 = true }, slave},
		{"mistakes", "two words\nden\nking\nboth\n9\na/b\nkitchen\nperhaps\nno\na:b\ncar\n\nword\ndrive7\ndrive0 drive0\ndrive0\nyes\n-\n", Setup{}, nil,
			Setup{Answers: role.Answers{Hostname: "den", Role: role.Both, Master: "kitchen", MasterUser: "car", Drives: []string{"drive0"}, Writable: true}, MasterPassword: "word"}},
		{"a master with a password", "\n\ndrive1\nn\nlars\n\nword\n", Setup{}, nil,
			Setup{Answers: role.Answers{Drives: []string{"drive1"}, User: "lars"}, Password: "word"}},
		{"from slave to master", "-\nmaster\n\n\n\n", slave, nil, Setup{Answers: role.Answers{Drives: both}}},
		{"nobody found", "\nslave\n\n\n", Setup{}, func(a *Ask) { a.Find = func() []Found { return nil } }, Setup{Answers: role.Answers{Role: role.Slave}}},
		{"the own name again", "car\n" + strings.Repeat("\n", 4), Setup{Answers: role.Answers{Hostname: "old"}}, nil, Setup{Answers: role.Answers{Drives: both}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, shown, err := dialogue(t, tt.typed, tt.from, tt.change)
			if err != nil {
				t.Fatalf("%v\n%s", err, shown)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s\n%s", diff, shown)
			}
			for line := range strings.Lines(shown) {
				if len(line) > 100 {
					t.Errorf("a long line: %s", line)
				}
			}
			if strings.Contains(shown, "word\n") || strings.Contains(shown, "\x1b") {
				t.Errorf("shown:\n%s", shown)
			}
		})
	}
}

func TestAskEnds(t *testing.T) {
	if _, _, err := dialogue(t, "den\nsla\x03", Setup{}, nil); !errors.Is(err, ErrInterrupted) {
		t.Errorf("^C: %v", err)
	}
	if _, _, err := dialogue(t, "den\nsla", Setup{}, nil); !errors.Is(err, io.EOF) {
		t.Errorf("a line that drops: %v", err)
	}
}

func TestParseAnswers(t *testing.T) {
	ok := func(string) error { return nil }
	got, err := ParseAnswers("a.txt", []byte("# mine\nrole = both\nmaster = kitchen\nPull at boot = yes\ndrives = drive0\nuser = lars\npassword = a b # c\nhostname = den\n"),
		Setup{Answers: role.Answers{MasterUser: "car"}}, ok)
	must(t, err)
	want := Setup{Answers: role.Answers{Hostname: "den", Role: role.Both, Master: "kitchen", PullAtBoot: true, Drives: []string{"drive0"}, User: "lars", MasterUser: "car"},
		Password: "a b # c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, wrong := range map[string]string{
		"role = king\n":                    "a.txt:1: parameter \"role\"",
		"uid = root\n":                     "a.txt:1: unknown parameter \"uid\"",
		"[drive0]\npath = /drive0\n":       "no sections",
		"drives = drive2\n":                "is no drive",
		"role = slave\npull at boot = 1\n": "needs a \"master\"",
		"role = master\n":                  "needs \"drives\"",
		"user = a:b\ndrives = drive0\n":    "no blank, colon",
		"hostname = x y\n":                 "bad name",
	} {
		_, err := ParseAnswers("a.txt", []byte(text), Setup{}, func(n string) error {
			if strings.Contains(n, " ") {
				return errors.New("bad name")
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: error %v, want %q", text, err, wrong)
		}
	}
}

// answering is a player's program on a UDP port: it answers as it is told.
func answering(t *testing.T, replies ...string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if string(buf[:n]) != "?" {
				continue
			}
			for _, r := range replies {
				_, _ = conn.WriteToUDPAddrPort([]byte(r), from) // the asker may be gone
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestDiscover(t *testing.T) {
	one := answering(t, "id=1\nname=kitchen\n")
	two := answering(t, "id=2\r\nname=Mike's \x1b[2Jempeg\xff\r\n", "HTTP/1.0 400\r\n", "id=2\r\nname=Mike's \x1b[2Jempeg\xff\r\n")
	closed := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 1)
	got := discover(t.Context(), []netip.AddrPort{closed, one, two}, time.Second)
	want := []Found{{"Mike's [2Jempeg", one.Addr()}, {"kitchen", one.Addr()}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{"10.1.2.3/8": "10.255.255.255", "192.168.1.17/28": "192.168.1.31", "127.0.0.1/8": "", "fe80::1/64": "", "10.0.0.1/32": ""} {
		got, ok := broadcast(netip.MustParsePrefix(prefix))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v, %v", prefix, got, ok)
		}
	}
}

// FuzzParseReply looks for an answer from the network that brings more than a name.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte("id=1\nname=kitchen"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		name, _ := parseReply(reply)
		if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("name %q", name)
		}
	})
}
