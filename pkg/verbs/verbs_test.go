package verbs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type common struct {
	Root string `default:"/" placeholder:"DIR" type:"path" help:"Where."`
}

type pull struct {
	common
	Master  string        `arg:"" optional:"" help:"Whom from."`
	DryRun  bool          `short:"n" help:"Look only."`
	Verbose int           `short:"v" type:"counter" help:"Say more."`
	Delete  bool          `default:"true" negatable:"" help:"Delete."`
	Wait    time.Duration `default:"2m" help:"How long."`
	Port    int           `short:"p" help:"Port."`
	Role    string        `enum:"master,slave," default:"" help:"Role."`
	IPv4    bool          `name:"ipv4" short:"4" xor:"family" help:"Four."`
	IPv6    bool          `name:"ipv6" short:"6" xor:"family" help:"Six."`
	Names   []string      `placeholder:"NAME" help:"Names."`
	Raw     []string      `sep:"none" help:"Raw."`
	Rules   []string      `name:"filter" short:"f" placeholder:"R" also:"exclude,include" help:"Rules."`
}

func (pull) Help() string { return "It does more than a line can say." }

type group struct {
	Serve struct {
		Dir string `short:"d" help:"Folder."`
	} `cmd:"" default:"withargs" help:"Serve."`
	Clean struct {
		Port int64 `required:"" help:"Needed."`
	} `cmd:"" help:"Clean."`
}

type program struct {
	Pull  pull  `cmd:"" help:"Pull."`
	Cache group `cmd:"" help:"Cache."`
	Raw   struct {
		Words []string `arg:"" optional:"" passthrough:"" help:"Anything."`
	} `cmd:"" help:"Pass."`
	Copy struct {
		From string   `arg:"" help:"From."`
		To   []string `arg:"" help:"To."`
	} `cmd:"" help:"Copy."`
	Secret struct{} `cmd:"" hidden:"" help:"Hidden."`
}

func parse(t *testing.T, line ...string) (*program, string, error) {
	t.Helper()
	p := &program{}
	all, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	v, err := all.Parse(line)
	return p, v.Path("x"), err
}

func TestParse(t *testing.T) {
	defaults := pull{common: common{Root: "/"}, Delete: true, Wait: 2 * time.Minute}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for line, change := range map[string]func(*pull){
		"pull":                                 func(*pull) {},
		"pull host -nvv":                       func(p *pull) { p.Master, p.DryRun, p.Verbose = "host", true, 2 },
		"pull -v host --verbose":               func(p *pull) { p.Master, p.Verbose = "host", 2 },
		"pull --no-delete --root=/mnt":         func(p *pull) { p.Delete, p.Root = false, "/mnt" },
		"pull --delete=false --root ~/x":       func(p *pull) { p.Delete, p.Root = false, filepath.Join(home, "x") },
		"pull --wait 1h30m -p7":                func(p *pull) { p.Wait, p.Port = 90*time.Minute, 7 },
		"pull -np 7 --role slave -6":           func(p *pull) { p.DryRun, p.Port, p.Role, p.IPv6 = true, 7, "slave", true },
		"pull --names=a,b --names c --raw a,b": func(p *pull) { p.Names, p.Raw = []string{"a", "b", "c"}, []string{"a,b"} },
		"pull --exclude=a,b -f x --include c --filter=y": func(p *pull) {
			p.Rules = []string{"--exclude=a,b", "--filter=x", "--include=c", "--filter=y"}
		},
		"pull -- -n": func(p *pull) { p.Master = "-n" },
	} {
		p, path, err := parse(t, strings.Fields(line)...)
		want := defaults
		change(&want)
		if err != nil || path != "x pull" {
			t.Errorf("%s: %s, %v", line, path, err)
		}
		if diff := cmp.Diff(want, p.Pull, cmp.AllowUnexported(pull{}, common{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestVerbsWithin(t *testing.T) {
	for line, want := range map[string]string{
		"cache": "x cache serve", "cache -d /x": "x cache serve", "cache serve --dir=/x": "x cache serve", "cache clean --port=1": "x cache clean",
		"raw --help-me -x y": "x raw", "copy a b c": "x copy",
	} {
		if _, path, err := parse(t, strings.Fields(line)...); err != nil || path != want {
			t.Errorf("%s: %s, %v", line, path, err)
		}
	}
	p, _, _ := parse(t, "raw", "-n", "--", "--help")
	if diff := cmp.Diff([]string{"-n", "--", "--help"}, p.Raw.Words); diff != "" {
		t.Error(diff)
	}
	p, _, _ = parse(t, "copy", "a", "b", "c,d")
	if p.Copy.From != "a" || cmp.Diff([]string{"b", "c", "d"}, p.Copy.To) != "" {
		t.Errorf("%+v", p.Copy)
	}
}

func TestMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"":                                `expected one of "pull", "cache", "raw", "copy"`,
		"frob":                            "unexpected argument frob",
		"pull a b":                        "unexpected argument b",
		"pull --frob":                     "unknown flag --frob",
		"pull -nx":                        "unknown flag -x",
		"pull --port":                     "--port: a value is missing",
		"pull --port x":                   `--port: "x" is no number`,
		"pull --port 9999999999999999999": "is no number",
		"pull --wait 5":                   "is no time",
		"pull --dry-run=maybe":            "neither true nor false",
		"pull --role king":                "none of master, slave",
		"pull -46":                        "--ipv4 and --ipv6",
		"pull --no-dry-run":               "unknown flag --no-dry-run",
		"cache clean":                     "missing flag --port",
		"copy":                            `"<from>"`,
		"copy a":                          `"<to>"`,
		"cache frob":                      "unexpected argument frob",
	} {
		if _, _, err := parse(t, strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for line, want := range map[string][]string{
		"--help":       {"Usage: x <command>\n", "\n  pull   Pull.\n"},
		"pull -h":      {"Usage: x pull [<master>] [flags]\n", "It does more than a line", "  -n, --dry-run      Look only.\n", "--[no-]delete", "--root=DIR", "--wait=WAIT"},
		"cache --help": {"Usage: x cache <command>\n"},
		"raw --help":   {"Usage: x raw [<words> ...]\n"},
	} {
		all, err := New(&program{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := all.Parse(strings.Fields(line))
		if !errors.Is(err, ErrHelp) {
			t.Errorf("%s: %v", line, err)
		}
		var b strings.Builder
		v.Explain(&b, "x", "About.")
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks %q:\n%s", line, w, b.String())
			}
		}
		if strings.Contains(b.String(), "Hidden") {
			t.Errorf("%s tells what is hidden", line)
		}
	}
}

func TestWrongModels(t *testing.T) {
	for _, into := range []any{program{}, new(int), &struct{ X chan int }{}, &struct {
		N int `default:"x"`
	}{}} {
		if _, err := New(into); err == nil {
			t.Errorf("%T was taken", into)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"pull -n host", "cache -d", "raw -- --help", "copy a b", "pull --names=a,b,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		all, err := New(&program{})
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := all.Parse(strings.Split(line, " ")); v == nil {
			t.Error("no verb")
		}
	})
}
