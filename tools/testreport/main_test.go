package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const (
		pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: chatter\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
		skip = `{"Action":"output","Package":"p","Test":"TestARM","Output":"    a_test.go:1: no emulator\n"}
{"Action":"output","Package":"p","Test":"TestARM","Output":"--- SKIP: TestARM (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestARM"}
`
		fail = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: wrong\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
		none = `{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`
		died = `{"Action":"output","Package":"p","Test":"TestC","Output":"last words\n"}
`
	)
	tests := []struct {
		name, args, in string
		code           int
		want, not      string
	}{
		{"pass", "", pass, 0, "ok  \tp\t0.1s\n1 tests passed, 0 skipped, 0 failures\n", "chatter"},
		{"fail", "", pass + fail, 1, "wrong\n--- FAIL: TestB", "chatter"},
		{"skip is fine", "", pass + skip, 0, "no emulator", "no test may skip"},
		{"skip is not fine", "-no-skip", pass + skip, 1, "no test may skip here: p TestARM", ""},
		{"skip excepted", "-no-skip -may-skip ^TestARM", pass + skip, 0, "1 skipped", "no test may skip"},
		{"skip not excepted", "-no-skip -may-skip ^TestX", pass + skip, 1, "no test may skip", ""},
		{"no test files", "-no-skip", pass + none, 0, "no test files", ""},
		{"too few", "-least 1", none, 1, "want at least 1", ""},
		{"enough", "-least 1", pass, 0, "1 tests passed", ""},
		{"died", "", pass + died, 1, "last words", ""},
		{"not json", "", "go: cannot find module\n", 0, "go: cannot find module", ""},
		{"bad pattern", "-no-skip -may-skip [", pass, 2, "may-skip", ""},
		{"bad flag", "-frobnicate", pass, 2, "frobnicate", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			code := run(strings.Fields(tt.args), strings.NewReader(tt.in), &out, &out)
			if code != tt.code || !strings.Contains(out.String(), tt.want) || tt.not != "" && strings.Contains(out.String(), tt.not) {
				t.Errorf("exit code %d, want %d with %q, without %q:\n%s", code, tt.code, tt.want, tt.not, &out)
			}
		})
	}
}

// Only failures that may be chance are named for another run.
func TestStrays(t *testing.T) {
	const (
		sub     = `{"Action":"fail","Package":"p","Test":"TestA/b"}` + "\n"
		test    = `{"Action":"fail","Package":"p","Test":"TestA"}` + "\n"
		pkg     = `{"Action":"fail","Package":"p"}` + "\n"
		other   = `{"Action":"fail","Package":"q"}` + "\n"
		race    = `{"Action":"output","Package":"p","Test":"TestA","Output":"WARNING: DATA RACE\n"}` + "\n"
		panics  = `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}` + "\n"
		build   = `{"Action":"build-fail","ImportPath":"q"}` + "\n"
		skip    = `{"Action":"skip","Package":"p","Test":"TestC"}` + "\n"
		unended = `{"Action":"output","Package":"p","Test":"TestC","Output":"last words\n"}` + "\n"
	)
	tests := []struct{ name, in, want string }{
		{"one", test + pkg, "p TestA\n"},
		{"with its part", sub + test + pkg, "p TestA\n"},
		{"none", "", ""},
		{"package alone", pkg, ""},
		{"another package alone", test + pkg + other, ""},
		{"race", race + test + pkg, ""},
		{"panic", panics + test + pkg, ""},
		{"build", test + pkg + build, ""},
		{"skip", test + skip + pkg, ""},
		{"never ended", test + unended + pkg, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "strays")
			var out bytes.Buffer
			run([]string{"-no-skip", "-strays", file}, strings.NewReader(tt.in), &out, &out)
			if got, err := os.ReadFile(file); err != nil || string(got) != tt.want {
				t.Errorf("wrote %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// What the go command of this machine really writes.
func TestRealStream(t *testing.T) {
	tests := []struct {
		name, body string
		code       int
		want       string
	}{
		{"pass", `t.Log("chatter")`, 0, "ok  \t"},
		{"skip", `t.Skip("not today")`, 1, "not today"},
		{"fail", `t.Error("wrong")`, 1, "x_test.go:5: wrong"},
		{"panic", `panic("oh")`, 1, "panic: oh"},
		{"does not build", `t.Nonsense()`, 1, "t.Nonsense undefined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			source := "package x\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { " + tt.body + " }\n"
			for name, text := range map[string]string{"go.mod": "module x\n\ngo 1.26\n", "x_test.go": source} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("go", "test", "-json", ".")
			cmd.Dir = dir
			stream, err := cmd.Output() // its exit code is what the stream has to tell as well
			if len(stream) == 0 {
				t.Fatalf("go test: %v", err)
			}
			var out bytes.Buffer
			if code := run([]string{"-no-skip"}, bytes.NewReader(stream), &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, tt.code, tt.want, &out)
			}
		})
	}
}
