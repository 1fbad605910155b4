package options

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fields splits a command line at spaces; a test needs no quoting.
func fields(line string) []string { return strings.Fields(line) }

func mustParse(t *testing.T, args []string) *Options {
	t.Helper()
	o, err := Parse(args)
	if err != nil {
		t.Fatalf("Parse(%q): %v", args, err)
	}
	return o
}

func TestParse(t *testing.T) {
	ab := []string{"a", "b"}
	archive := Options{Args: ab, Recurse: true, Links: true, Perms: true, Times: true, Group: true, Owner: true, Devices: true, Specials: true}
	with := func(o Options, change func(*Options)) Options { change(&o); return o }
	plain := Options{Args: ab}
	tests := []struct {
		line string
		want Options
	}{
		{"a b", plain},
		{"-a a b", archive},
		{"a -a b", archive},
		{"-auv --delete rsync://master/drive0/fids .", with(archive, func(o *Options) {
			o.Args = []string{"rsync://master/drive0/fids", "."}
			o.Update, o.Verbose, o.Delete = true, 1, DeleteDefault
		})},
		{"-a --no-o --no-D a b", with(archive, func(o *Options) { o.Owner, o.Devices, o.Specials = false, false, false })},
		{"--no-owner -a a b", archive},
		{"-rlptgoD a b", archive},
		{"-vvii --no-v -v -hh a b", with(plain, func(o *Options) { o.Verbose, o.Itemize, o.HumanReadable = 1, 2, 2 })},
		{"--no-h a b", with(plain, func(o *Options) { o.HumanReadable = -1 })},
		{"-nqqcuWI a b", with(plain, func(o *Options) {
			o.DryRun, o.Quiet, o.Checksum, o.Update, o.WholeFile, o.IgnoreTimes = true, 2, true, true, Yes, true
		})},
		{"-W --no-W a b", with(plain, func(o *Options) { o.WholeFile = No })},
		{"-B700 -B=800 -B 900 a b", with(plain, func(o *Options) { o.BlockSize = 900 })},
		{"-vB=1k a b", with(plain, func(o *Options) { o.Verbose, o.BlockSize = 1, 1024 })},
		{"--timeout=0x10 --contimeout 010 a b", with(plain, func(o *Options) { o.Timeout, o.Contimeout = 16, 8 })},
		{"--timeout=5 --no-timeout a b", plain},
		{"--timeout= a b", plain},
		{"-@-1 a b", with(plain, func(o *Options) { o.ModifyWindow = Number{true, -1} })},
		{"--max-delete=-7 --max-size=1.5k --min-size=0 a b", with(plain, func(o *Options) {
			o.MaxDelete, o.MaxSize, o.MinSize = Number{true, 0}, Number{true, 1536}, Number{true, 0}
		})},
		{"-r --del a b", with(plain, func(o *Options) { o.Recurse, o.Delete = true, DeleteDuring })},
		{"-r --delete --delete-after --delete-excluded a b", with(plain, func(o *Options) {
			o.Recurse, o.Delete, o.DeleteExcluded = true, DeleteAfter, true
		})},
		{"-d --delete-excluded a b", with(plain, func(o *Options) { o.Dirs, o.Delete, o.DeleteExcluded = DirsYes, DeleteDefault, true })},
		{"--no-i-r -4 --ipv6 --port=8730 --address ::1 --protocol=29 a b", with(plain, func(o *Options) {
			o.IncRecurse, o.Family, o.Port, o.Address, o.Protocol = No, FamilyIPv6, 8730, "::1", 29
		})},
		{"--cc=auto,AUTO a b", plain},
		{"--checksum-choice=None,md5 --checksum-seed=-5 a b", with(plain, func(o *Options) {
			o.ChecksumChoice, o.WholeFile, o.ChecksumSeed = "None,md5", Yes, -5
		})},
		{"--exclude=x -f -_y --include z --exclude-from=/f a b", with(plain, func(o *Options) {
			o.Rules = []Rule{{RuleExclude, "x"}, {RuleFilter, "-_y"}, {RuleInclude, "z"}, {RuleExcludeFrom, "/f"}}
		})},
		{"--existing --ignore-existing --size-only --force --ignore-errors --fsync --stats --progress --numeric-ids -OJ a b", with(plain, func(o *Options) {
			o.IgnoreNonExisting, o.IgnoreExisting, o.SizeOnly, o.Force, o.IgnoreErrors = true, true, true, true, true
			o.Fsync, o.Stats, o.Progress, o.NumericIDs, o.OmitDirTimes, o.OmitLinkTimes = true, true, true, true, true, true
		})},
		{"-v -- -x --y", with(plain, func(o *Options) { o.Verbose, o.Args = 1, []string{"-x", "--y"} })},
		{"- b", with(plain, func(o *Options) { o.Args = []string{"-", "b"} })},
		{"a", Options{Args: []string{"a"}, ListOnly: ListImplied}},
		{"--list-only a", Options{Args: []string{"a"}, ListOnly: ListAsked}},
		{"--no-compress --no-iconv --no-inplace --no-8 a b", plain},
		{"-h", Options{Help: true, HumanReadable: 1, ListOnly: ListImplied}},
		{"--server --sender -vlogDtpre.iLsfxCIvu --numeric-ids . mod/a -b", Options{Server: true, Sender: true, Verbose: 1,
			Args: []string{"mod/a", "-b"}, Links: true, Owner: true, Group: true, Devices: true, Specials: true, Times: true,
			Perms: true, Recurse: true, ClientInfo: "iLsfxCIvu", NumericIDs: true}},
		{"--server -e31.14Lsf --log-format=%i . x", Options{Server: true, Args: []string{"x"}, ClientInfo: "Lsf", ClientPrerelease: "31.14", LogFormat: "%i"}},
		{"--daemon --no-detach --config=/c --port 873 -v4", Options{Daemon: true, NoDetach: true, Config: "/c", Port: 873, Verbose: 1, Family: FamilyIPv4}},
		{"--daemon -Mport=7 --dparam=x=y=z --log-file=/l --sockopts=SO_KEEPALIVE", Options{Daemon: true,
			Over: []string{"port=7", "x=y=z", "log file=/l", "socket options=SO_KEEPALIVE"}}},
		{"--config /c --daemon", Options{Daemon: true, Config: "/c"}},
		{"--server --daemon .", Options{Server: true, Daemon: true, Args: []string{}}},
		{"--daemon -h", Options{Daemon: true, Help: true}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			if d := cmp.Diff(tt.want, *mustParse(t, fields(tt.line)), cmp.AllowUnexported(Options{}, level{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		line string
		kind Kind
		want string
	}{
		{"--foo a b", Syntax, "--foo: unknown option"},
		{"-% a b", Syntax, "-%: unknown option"},
		{"-av% a b", Syntax, "-av%: unknown option"},
		{"--no-delete a b", Syntax, "--no-delete: unknown option"},
		{"--recursive=1 a b", Syntax, "--recursive=1: option does not take an argument"},
		{"--no-r=1 a b", Syntax, "--no-r=1: option does not take an argument"},
		{"--port", Syntax, "--port: missing argument"},
		{"-vB", Syntax, "-vB: missing argument"},
		{"--timeout=abc a b", Syntax, "--timeout=abc: invalid numeric value"},
		{"--timeout=5x a b", Syntax, "--timeout=5x: invalid numeric value"},
		{"--timeout=08 a b", Syntax, "--timeout=08: invalid numeric value"},
		{"--timeout=--5 a b", Syntax, "--timeout=--5: invalid numeric value"},
		{"--timeout=99999999999 a b", Syntax, "--timeout=99999999999: number too large or too small"},
		{"--timeout=-1 a b", Syntax, "--timeout=-1: too small (min: 0)"},
		{"--port=65536 a b", Syntax, "--port=65536: too large (max: 65535)"},
		{"--protocol=0 a b", Syntax, "--protocol=0: too small (min: 1)"},
		{"--max-size=zz a b", Syntax, "--max-size=zz is invalid"},
		{"--max-size=1k2 a b", Syntax, "--max-size=1k2 is invalid"},
		{"--max-size=+1 a b", Syntax, "--max-size=+1 is invalid"},
		{"--max-size=999999p a b", Syntax, "--max-size=999999p is too large"},
		{"-B1g a b", Syntax, "--block-size=1g is too large (max: 536870912)"},
		{"--max-size=0-1 a b", Syntax, "--max-size=0-1 is too small (min: 0)"},
		{"--delete a b", Syntax, "--delete does not work without --recursive (-r) or --dirs (-d)."},
		{"-r --del --delete-after a b", Syntax, "You may not combine multiple --delete-WHEN options."},
		{"--sender a b", Syntax, "--sender goes with --server, which an rsync uses to start another; leave it out"},
		{"--cc=a,b,c a b", Unsupported, "unknown checksum name: a,b,c"},
		{"--cc= a b", Unsupported, "unknown checksum name: "},
		{"--zt=-4 a b", Syntax, "--compress-threads=-4: too small (min: 0)"},
		{"--stderr=x a b", Syntax, `--stderr mode "x" is not one of errors, all, or client`},
		{"--max-alloc=1023k a b", Syntax, "--max-alloc=1023k is too small (min: 1.00M or 0 for unlimited)"},
		{"--server --max-alloc=x . a", Syntax, "on remote machine: --max-alloc=x is invalid"},
		{"--stderr= a b", Syntax, `--stderr mode "" is not one of errors, all, or client`},
		{"--zc=a,b a b", Unsupported, "unknown compress name: a,b"},
		{"-N a b", Syntax, "This rsync does not support --crtimes (-N)"},
		{"--chmod=u+x,8 a b", Syntax, "Invalid argument passed to --chmod (u+x,8)"},
		{"--confine-root=x a b", Syntax, "--confine-root must be an absolute path"},
		{"--confine-root= a b", Syntax, "--confine-root must be an absolute path"},
		{"--confine-root=/ --insecure-links a b", Syntax, "--insecure-links cannot be combined with --confine-root"},
		{"--usermap=a:b --chown=c:d a b", Syntax, "--chown conflicts with prior --usermap."},
		{"--chown=c:d --groupmap=a:b a b", Syntax, "--groupmap conflicts with prior --chown."},
		{"--chown=c --chown=d a b", Syntax, "You can only specify a user-affecting --chown once."},
		{"--usermap=a:b --usermap=c:d a b", Syntax, "You can only specify --usermap once."},
		{"--server -r x", Syntax, `on remote machine: unexpected argument "x" before the "." that ends the options`},
		{"--server -r", Syntax, `on remote machine: the argument list lacks the "." before the paths`},
		{"--server --bogus . x", Syntax, "on remote machine: --bogus: unknown option"},
		{"--server --help . x", Syntax, "on remote machine: --help and --version are for people, not for a server"},
		{"--server --exclude=x . x", Unsupported, "--exclude is not supported; leave it out"},
		{"--no-detach", Syntax, "Daemon option(s) used without --daemon."},
		{"--daemon -r", Syntax, "-r: unknown option"},
		{"--daemon -M x", Syntax, "--dparam value is missing an '=': x"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			o, err := Parse(fields(tt.line))
			var e *Error
			if !errors.As(err, &e) || o != nil {
				t.Fatalf("Parse = %v, %v", o, err)
			}
			if e.Kind != tt.kind || e.Text != tt.want {
				t.Errorf("kind %d, %q; want %d, %q", e.Kind, e.Text, tt.kind, tt.want)
			}
			if want := map[Kind]int{Syntax: 1, Unsupported: 4}[tt.kind]; e.ExitCode() != want {
				t.Errorf("exit code %d, want %d", e.ExitCode(), want)
			}
		})
	}
}

func TestParseServer(t *testing.T) {
	for line, want := range map[string]string{
		"-r . x":                            "the argument list does not begin with --server",
		"--server --daemon":                 "a client cannot ask a daemon to become another one",
		"--server --config=/etc/shadow . x": "a client cannot ask a daemon to become another one",
	} {
		if _, err := ParseServer(fields(line), Refusal{}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	o, err := ParseServer(fields("--server --sender -de.LsfxCIvu --list-only . mod/-x -r"), Refusal{})
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{Server: true, Sender: true, Dirs: DirsYes, ClientInfo: "LsfxCIvu", ListOnly: ListAsked, Args: []string{"mod/-x", "-r"}}
	if d := cmp.Diff(want, o, cmp.AllowUnexported(Options{}, level{})); d != "" {
		t.Error(d)
	}
}

// The examples are those of rsyncd.conf(5).
func TestRefusal(t *testing.T) {
	tests := []struct {
		patterns, line, want string // want: what is refused, "" for nothing
	}{
		{"c delete", "--server -rc . x", "--checksum (-c)"},
		{"checksum", "--server -c . x", "--checksum (-c)"},
		{"c delete", "--server -r . x", ""},
		{"c delete", "--server -r --delete . x", "--delete"},
		{"c delete", "--server -r --delete-after . x", "--delete"},
		{"c delete", "--server -r --delete-excluded . x", "--delete"},
		{"delete", "--server --sender -r --remove-source-files . x", "--delete"},
		{"delete", "--server -r --remove-source-files . x", ""},
		{"delete-*", "--server --sender -r --remove-source-files . x", ""},
		{"remove-*", "--server --sender -r --remove-source-files . x", "--remove-source-files"},
		{"delete-* !delete-during", "--server -r --delete-during . x", ""},
		{"delete-* !delete-during", "--server -r --delete-before . x", "--delete-before"},
		{"* !a !v !compress*", "--server -vlogDtpre.iLsfxCIvu . x", ""},
		{"* !a !v !compress*", "--server -vulogDtpr . x", "--update (-u)"},
		{"* !a !v !compress*", "--server --sender -n --checksum-seed=1 . x", ""},
		{"* no-iconv !a !v", "--server --no-iconv . x", "--no-iconv"},
		{"*", "--server --no-iconv --log-format=%i -e.Ls . x", ""},
		{"no-iconv", "--server --iconv=utf8 . x", ""},
		{"no-iconv", "--server -r . x", "--no-iconv"},
		{"iconv", "--server --iconv=utf8 . x", "--iconv"},
		{"* !a", "--server --iconv=utf8 . x", ""},
		{"a", "--server -l . x", "--links (-l)"},
		{"archive*", "--server -l . x", ""},
		{"archive*", "--server -a . x", "--archive (-a)"},
		{"p", "--server -a . x", "--perms (-p)"},
		{"D", "--server -D . x", "-D"},
		{"D", "--server -a . x", "-D"},
		{"no-*", "--server --no-r . x", "--no-r"},
		{"existing", "--server --existing . x", "--existing"},
		{"existing", "--server --ignore-non-existing . x", ""},
		{"ignore-non-*", "--server --ignore-non-existing . x", "--ignore-non-existing"},
		{"[!a-z]", "--server -O . x", "--omit-dir-times (-O)"},
		{"delete-before delete-during", "--server -r --delete . x", "--delete-before"},
		{"", "--server --log-file=/x . x", "--log-file"},
		{"!log-file", "--server --log-file=/x . x", "--log-file"},
		{"", "--server --write-devices . x", "--write-devices"},
		{"", "--server -r . x", ""},
	}
	for _, tt := range tests {
		refuse, unmatched := NewRefusal(fields(tt.patterns))
		if len(unmatched) > 0 {
			t.Errorf("%s: unmatched %q", tt.patterns, unmatched)
		}
		_, err := ParseServer(fields(tt.line), refuse)
		var e *Error
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("refuse %q: %s: %v", tt.patterns, tt.line, err)
		case tt.want != "" && (!errors.As(err, &e) || e.Kind != Refused || e.Text != "The server is configured to refuse "+tt.want || e.ExitCode() != 4):
			t.Errorf("refuse %q: %s: %v, want %s refused", tt.patterns, tt.line, err, tt.want)
		}
	}
	for refused, want := range map[string]DeleteMode{"delete-before": DeleteDuring, "delete-during": DeleteBefore} {
		refuse, _ := NewRefusal([]string{refused})
		if o, err := ParseServer(fields("--server -r --delete . x"), refuse); err != nil || o.Delete != want {
			t.Errorf("--delete with %s refused: %+v, %v", refused, o, err)
		}
	}
	if _, unmatched := NewRefusal([]string{"chekcsum", "!zz*", "[", "c"}); !slices.Equal(unmatched, []string{"chekcsum", "!zz*", "["}) {
		t.Errorf("unmatched = %q", unmatched)
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"": 0, "0": 0, "k": 0, "1": 1, "1.5": 1, ".5k": 512, "1.5K": 1536, "1kb": 1000, "1KiB-1": 1023, "1k+1": 1025,
		"2m": 2 << 20, "2MB": 2000000, "3g": 3 << 30, "1t": 1 << 40, "8p": 8 << 50, "10b": 10, "1b+1": 2,
	} {
		if got, problem := parseSize(in, maxInt64); got != want || problem != "" {
			t.Errorf("parseSize(%q) = %d, %q; want %d", in, got, problem, want)
		}
	}
	for _, in := range []string{"x", "1x", "1.5.5", "-1", "1k-2", "1k+1x", "1e3", "0x10", "nan", "inf", "1 ", strings.Repeat("9", 400)} {
		if got, problem := parseSize(in, maxInt64); problem == "" {
			t.Errorf("parseSize(%q) = %d, want a problem", in, got)
		}
	}
}

// The table must not contradict itself.
func TestTable(t *testing.T) {
	names, orders := map[string]string{}, map[int]string{}
	for _, r := range table() {
		all := append(append([]string{r.long, r.short}, r.aliases...), r.negations...)
		for _, n := range all {
			if other, ok := names[n]; ok && n != "" {
				t.Errorf("%s is a name of %s and of %s", n, other, r.name())
			}
			names[n] = r.name()
		}
		for _, s := range r.sends {
			if other, ok := orders[s.order]; ok {
				t.Errorf("%s and %s are both sent at place %d", other, r.name(), s.order)
			}
			orders[s.order] = r.name()
		}
		switch {
		case r.supported() && r.on == nil:
			t.Errorf("%s is supported but does nothing", r.name())
		case r.help == "" || len(r.short) > 1 || r.long == "" && r.short == "":
			t.Errorf("incomplete row %+v", r)
		case r.modes&daemon != 0 && !r.daemonMode:
			t.Errorf("%s cannot be met in daemon mode", r.name())
		}
	}
	for _, want := range []string{"--archive, -a", "--delete-excluded", "--block-size=SIZE, -B", "--no-detach"} {
		if !strings.Contains(Help(), want) {
			t.Errorf("help lacks %s", want)
		}
	}
	if strings.Contains(Help(), "--copy-as") {
		t.Error("the help offers what is not supported")
	}
}

// Each supported switch changes something, and each unsupported option is
// refused by its name: none is accepted and ignored.
func TestNothingIsIgnored(t *testing.T) {
	base := fmt.Sprintf("%+v", *mustParse(t, fields("-r a b")))
	for _, opt := range All() {
		arg := "--" + opt.Long
		if opt.Long == "" {
			arg = "-" + opt.Short
		}
		if opt.Arg != "" {
			sample, ok := samples()[opt.Long]
			if !ok {
				sample = "7"
			}
			arg += "=" + sample
		}
		o, err := Parse([]string{"-r", arg, "a", "b"})
		var e *Error
		switch {
		case !opt.Client:
			if opt.Why == "" {
				t.Errorf("%s is refused for no reason", arg)
			}
			if !errors.As(err, &e) || e.Kind != Unsupported && opt.Long != "crtimes" { // which Debian's rsync lacks, too
				t.Errorf("%s: %v, want it unsupported", arg, err)
			}
		case slices.Contains([]string{"server", "sender", "daemon", "config", "dparam", "no-detach", "detach"}, opt.Long): // other modes
		case opt.Long == "blocking-io": // how C rsync reads a pipe; ours does what both ways are for
		case opt.Long == "qsort": // with which of C's two ways a list is sorted: the outcome is one
		case err != nil:
			t.Errorf("%s: %v", arg, err)
		case fmt.Sprintf("%+v", *o) == base && arg != "--recursive" && arg != "--implied-dirs": // the default
			t.Errorf("%s changes nothing", arg)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-auv\n--delete\nrsync://h/m\n.")
	f.Add("--server\n--sender\n-vlogDtpre.iLsfxCIvu\n--numeric-ids\n.\nmod/x")
	f.Add("--daemon\n--config=/c\n-vM\nx=y")
	f.Add("-M-\n-M--unheard-of")
	f.Add("-B=1.5kib+1\n-@\n-1\n--max-size\n8p\n--cc=md5,auto\n--\n-x")
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\n")
		refuse, _ := NewRefusal(args)
		for _, parse := range []func() (*Options, error){
			func() (*Options, error) { return Parse(args) },
			func() (*Options, error) { return ParseServer(args, refuse) },
		} {
			o, err := parse()
			var e *Error
			if (o == nil) == (err == nil) || err != nil && !errors.As(err, &e) {
				t.Fatalf("%v, %v", o, err)
			}
			if o == nil || o.Daemon || o.Help || len(o.RemoteOptions) > 0 { // -M: the user's own words, sent unseen
				continue
			}
			// Whatever was understood can be told to a server, who understands it.
			for _, push := range []bool{false, true} {
				sent := o.ServerArgs(Peer{Push: push, Capabilities: "iLsfxCIvu"})
				got, err := ParseServer(append(sent, ".", "x"), Refusal{})
				if err != nil {
					t.Fatalf("%q is sent as %q: %v", args, sent, err)
				}
				if got.Recurse != o.Recurse || got.Update != o.Update || got.DryRun != o.DryRun || got.BlockSize != o.BlockSize ||
					got.Sender == push || push && got.Delete != o.Delete || push && got.MaxDelete != o.MaxDelete {
					t.Fatalf("%q is sent as %q and understood as %+v, not %+v", args, sent, got, o)
				}
			}
		}
	})
}
