package session

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Both sides come to the same agreement in every version, direction and with
// every kind of choice, and from there on understand each other's bytes.
func TestSetup(t *testing.T) {
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		for _, push := range []bool{false, true} {
			for _, letters := range []string{"", "Lsf", proto.ClientLetters()} {
				for _, choice := range []string{"", "md5", "md4,md5"} {
					t.Run(fmt.Sprintf("%d/push=%v/%s/%s", v, push, letters, choice), func(t *testing.T) {
						testSetup(t, capsOf(t, v), push, letters, choice)
					})
				}
			}
		}
	}
}

func testSetup(t *testing.T, caps proto.Caps, push bool, letters, choice string) {
	client, server := loopback(t)
	there := make(chan Agreed, 1)
	go func() {
		s := Setup{Caps: caps, Server: true, Sender: !push, Choice: choice, Letters: letters, Seed: 0x1234567}
		a, err := s.Run(server.r, server.w)
		if err != nil {
			t.Error("server:", err)
		}
		there <- a
	}()
	a, err := Setup{Caps: caps, Sender: push, Choice: choice}.Run(client.r, client.w)
	if err != nil {
		t.Fatal("client:", err)
	}
	b := <-there
	frames := [2]bool{a.PeerFrames, b.PeerFrames}
	b.PeerFrames = a.PeerFrames
	if a != b || a.Seed != 0x1234567 {
		t.Errorf("client %+v\nserver %+v", a, b)
	}
	if want := wantSum(caps, letters, choice); a.FileSum != want {
		t.Errorf("sum %v, want %v", a.FileSum, want)
	}
	for i, side := range []struct{ from, to end }{{server, client}, {client, server}} {
		if frames[i] {
			side.to.r.StartMux(nil)
		}
		if _, err := side.from.w.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if framed := side.from.w.Message(proto.TagInfo, []byte("message")); framed != frames[i] {
			t.Errorf("frames are sent: %v, expected: %v", framed, frames[i])
		}
		if err := side.from.w.Flush(); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if side.to.r.Full(got); string(got) != "hello" || side.to.r.Err() != nil {
			t.Errorf("%q came, %v", got, side.to.r.Err())
		}
	}
}

// wantSum is the strong sum that C rsync comes to (checksum.c:
// parse_checksum_choice, compat.c:negotiate_the_strings).
func wantSum(caps proto.Caps, letters, choice string) checksum.Algorithm {
	switch {
	case choice == "md5":
		return checksum.MD5
	case strings.HasPrefix(choice, "md4"):
		want, err := checksum.ParseChoice(choice, checksum.MD5)
		if err != nil {
			panic(err)
		}
		return want.Transfer
	case caps.CompatFlags && strings.Contains(letters, "v"):
		return checksum.XXH128
	}
	return map[proto.DefaultSum]checksum.Algorithm{
		proto.SumMD4Archaic: checksum.MD4Archaic, proto.SumMD4Busted: checksum.MD4Busted, proto.SumMD4: checksum.MD4Old, proto.SumMD5: checksum.MD5,
	}[caps.DefaultSum]
}

func TestSetupErrors(t *testing.T) {
	varints := func(f proto.Compat) string { return string(wire.AppendVarInt(nil, int32(f))) }
	vstring := func(s string) string { return string(wire.AppendVString(nil, s)) }
	mux := func(tag proto.Tag, text string) string {
		var b bytes.Buffer
		w := wire.NewWriter(&b, 0)
		w.StartMux()
		if !w.Message(tag, []byte(text)) || w.Flush() != nil {
			t.Fatal("cannot frame a message")
		}
		return b.String()
	}
	for _, tt := range []struct {
		name  string
		setup Setup
		says  string
		want  string
		code  proto.Exit
	}{
		{"no flags", Setup{Caps: capsOf(t, 30)}, "", "read compatibility flags: unexpected EOF", proto.ExitStreamIO},
		{"flags not offered", Setup{Caps: capsOf(t, 30)}, varints(proto.CompatIncRecurse), "parts, which was not offered", proto.ExitProtocol},
		{"no seed", Setup{Caps: capsOf(t, 29)}, "abc", "read checksum seed: unexpected EOF", proto.ExitStreamIO},
		{"no list", Setup{Caps: capsOf(t, 31)}, varints(proto.CompatVarintFlags), "read the peer's list of checksums: unexpected EOF", proto.ExitStreamIO},
		{"too long a list", Setup{Caps: capsOf(t, 31)}, varints(proto.CompatVarintFlags) + vstring(strings.Repeat("x", checksum.MaxList+1)), "list of checksums: 257 is not within 0 to 256", proto.ExitStreamIO},
		{"nothing in common", Setup{Caps: capsOf(t, 31)}, varints(proto.CompatVarintFlags) + vstring("sha3 crc32"), "sha3 crc32", proto.ExitUnsupported},
		{"nothing in common, server", Setup{Caps: capsOf(t, 31), Server: true, Letters: "v"}, vstring("sha3"), "sha3", proto.ExitUnsupported},
		{"bad choice", Setup{Caps: capsOf(t, 31), Choice: "sha3"}, varints(0), "sha3", proto.ExitUnsupported},
		{"reason before the seed", Setup{Caps: capsOf(t, 22)}, mux(proto.TagError, "refused to write\x1b\n"), `unexpected EOF; the peer says: refused to write\#033`, proto.ExitStreamIO},
		{"endless reasons", Setup{Caps: capsOf(t, 22)}, strings.Repeat(mux(proto.TagError, strings.Repeat("no ", 150)), 20), "the peer says: no", proto.ExitStreamIO},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w, _ := said(tt.says)
			_, err := tt.setup.Run(r, w)
			wantError(t, err, tt.want, tt.code)
			if len(err.Error()) > 2*maxLastWords {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
	_, err := Setup{Caps: capsOf(t, 30)}.Run(wire.NewReader(failing{os.ErrDeadlineExceeded}, 0), wire.NewWriter(failing{}, 0))
	wantError(t, err, "i/o timeout", proto.ExitTimeout)
	gone := errors.New("gone")
	_, err = Setup{Caps: capsOf(t, 29), Server: true}.Run(wire.NewReader(failing{gone}, 0), wire.NewWriter(failing{gone}, 0))
	wantError(t, err, "send checksum seed: gone", proto.ExitSocketIO)
}

func ruleBytes(rules ...string) string {
	var b []byte
	for _, r := range rules {
		b = append(wire.AppendInt32(b, int32(len(r))), r...)
	}
	return string(b)
}

func TestReadRules(t *testing.T) {
	endOfList := string(wire.AppendInt32(nil, 0))
	for _, tt := range []struct {
		name, says string
		count      int
		want       string
		code       proto.Exit
	}{
		{"none", endOfList, 0, "", 0},
		{"two", ruleBytes("- *.bak", "+ /fids/") + endOfList, 2, "", 0},
		{"cut", ruleBytes("- *.bak"), 0, "read filter list: unexpected EOF", proto.ExitStreamIO},
		{"negative", "\xff\xff\xff\xff", 0, "length of a filter rule: -1", proto.ExitStreamIO},
		{"2 GiB", "\xff\xff\xff\x7f", 0, "length of a filter rule: 2147483647", proto.ExitStreamIO},
		{"too many", strings.Repeat(ruleBytes("- a"), filter.DefaultMaxRules+1) + endOfList, 0, "more than 16384 rules", proto.ExitProtocol},
		{"clearing for ever", strings.Repeat(ruleBytes("!"), maxRuleBytes+1), 0, "more than 1048576 bytes", proto.ExitProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, _ := said(tt.says)
			rules := filter.New(filter.Options{})
			err := ReadRules(r, capsOf(t, 31), rules)
			wantError(t, err, tt.want, tt.code)
			if err == nil && rules.Len() != tt.count {
				t.Errorf("%d rules, want %d", rules.Len(), tt.count)
			}
		})
	}
}

// exclude.c:send_filter_list: a receiving server hears the rules only when it
// deletes, and before 29 not even then if excluded files go, too.
func TestReceiverWantsRules(t *testing.T) {
	for _, tt := range []struct {
		version int
		args    []string
		want    bool
	}{
		{31, nil, false}, {31, []string{"--delete"}, true}, {31, []string{"--delete", "--delete-excluded"}, true},
		{28, []string{"--delete"}, true}, {28, []string{"--delete", "--delete-excluded"}, false}, {28, nil, false},
	} {
		opt, err := options.Parse(append([]string{"-r", "a", "b"}, tt.args...))
		if err != nil {
			t.Fatal(err)
		}
		if got := ReceiverWantsRules(capsOf(t, tt.version), opt); got != tt.want {
			t.Errorf("%d %v: %v", tt.version, tt.args, got)
		}
	}
}

// FuzzServer lets a peer say anything to a daemon, from its greeting to its
// rules.
func FuzzServer(f *testing.F) {
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		caps := capsOf(f, v)
		_, w, heard := said("")
		_, _ = w.Write(append(AppendGreeting(nil, v), "drive0\n"...))
		if err := SendArgs(w, caps, []string{"--server", "--sender", "-logDtpre.LsfxCIvu", ".", "drive0/"}); err != nil {
			f.Fatal(err)
		}
		f.Add(heard.Bytes(), wire.AppendVString(nil, "xxh128 md5"), []byte(ruleBytes("- *.bak")+"\x00\x00\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, text, lists, rules []byte) {
		input := append(append(bytes.Clone(text), lists...), rules...)
		r, w := wire.NewReader(bytes.NewReader(input), 0), wire.NewWriter(new(bytes.Buffer), 0)
		g, err := GreetClient(r, w, proto.MaxVersion, "", func(time.Time) {})
		if err != nil {
			return
		}
		caps, err := proto.New(g.Version)
		if err != nil {
			t.Fatalf("agreed on %d: %v", g.Version, err)
		}
		r.Line('\n', 1024, "module name")
		args, err := ReadArgs(r, caps, nil)
		if err != nil || len(args) > maxArgs {
			return
		}
		a, err := Setup{Caps: caps, Server: true, Sender: true, Letters: strings.Join(args, "")}.Run(r, w)
		if err != nil {
			return
		}
		if !a.FileSum.Valid() || a.FileSum == checksum.None {
			t.Errorf("agreed on the sum %v", a.FileSum)
		}
		if a.PeerFrames {
			r.StartMux(nil)
		}
		set := filter.New(filter.Options{})
		_ = ReadRules(r, a.Caps, set)
		if set.Len() > filter.DefaultMaxRules {
			t.Errorf("%d rules", set.Len())
		}
	})
}
