package console

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// line is a cable between a PC and a player: two terminals, and between them
// whatever happens on cables.
type line struct {
	root   string // the player's
	player *os.File
	speed  atomic.Int64 // the player's; at any other there is only noise
	noise  atomic.Int64 // one byte in so many that the player sends is changed; 0 for none
	cut    atomic.Int64 // drop the line after so many bytes to the player; 0 for never
	mu     sync.Mutex
	port   string   // the PC's side
	near   *os.File // its other end; closed when the cable is out
	passed int64    // bytes to the player
}

// newLine starts a player with a music program that "q" quits to a shell, and a
// shell whose end starts it again, in a root of its own.
func newLine(t *testing.T) *line {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for _, dir := range []string{"bin", "drive0/var", "proc"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for name, text := range map[string]string{
		"proc/cpuinfo": "CPU architecture: 5TEJ\n",
		"proc/version": "Linux version 6.1.0 (x) #1\n",
		"init": `while :; do
	echo "the player plays"
	while read -r key; do
		case $key in q) break ;; esac
	done || exit
	bash --norc --noprofile -i
	echo "$?" >>` + root + `/shells
done
`,
		"bin/mount": "#!/bin/sh\necho \"mount $*\" >>" + root + "/mounts\n",
	} {
		must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o755))
	}
	for _, name := range strings.Fields("cat chmod cp dd df grep gzip ls mkdir od rm rz sync bash") {
		target, err := exec.LookPath(name)
		must(t, err)
		must(t, os.Symlink(target, filepath.Join(root, "bin", name)))
	}
	playerNear, playerFar := newPTY(t)
	l := &line{root: root, player: playerNear}
	l.speed.Store(115200)
	cmd := exec.Command("/bin/sh", filepath.Join(root, "init"))
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + filepath.Join(root, "bin"), `PS1=empeg:\w\$ `, "TERM=dumb"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = playerFar, playerFar, playerFar
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its session; gone already is fine
		playerNear.Close()
		_ = cmd.Wait() // killed
	})
	playerFar.Close()
	l.plug(t)
	go l.fromPlayer()
	return l
}

// plug puts in a cable.
func (l *line) plug(t *testing.T) {
	near, far := newPTY(t)
	l.mu.Lock()
	l.near, l.port, l.passed = near, far.Name(), 0
	l.mu.Unlock()
	go l.toPlayer(near)
}

// cable is the PC's end of the line.
func (l *line) cable() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.near
}

// toPlayer carries what the PC sends. At a wrong speed it does not arrive: letters
// of noise would be the player's commands.
func (l *line) toPlayer(near *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := near.Read(buf)
		if err != nil {
			return
		}
		if l.portSpeed(near) != l.speed.Load() {
			continue
		}
		l.mu.Lock()
		l.passed += int64(n)
		drop := l.cut.Load() > 0 && l.passed >= l.cut.Load()
		l.mu.Unlock()
		if drop {
			near.Close() // the cable is out: the PC's side fails
			return
		}
		if _, err := l.player.Write(buf[:n]); err != nil {
			return
		}
	}
}

// fromPlayer carries what the player sends, with the noise of the line.
func (l *line) fromPlayer() {
	buf := make([]byte, 4096)
	random := rand.New(rand.NewPCG(1, 2))
	for {
		n, err := l.player.Read(buf)
		if err != nil {
			return
		}
		chunk, near := buf[:n], l.cable()
		wrong := l.portSpeed(near) != l.speed.Load()
		every := l.noise.Load()
		for i := range chunk {
			if wrong {
				chunk[i] = byte(0x80 | random.IntN(128))
			} else if every > 0 && random.Int64N(every) == 0 {
				chunk[i] ^= 0x45
			}
		}
		_, _ = near.Write(chunk) // lost while the cable is out
	}
}

// portSpeed is the speed that the PC has set.
func (l *line) portSpeed(near *os.File) int64 {
	raw, err := near.SyscallConn()
	if err != nil {
		return 0
	}
	var t *unix.Termios
	if cerr := raw.Control(func(fd uintptr) { t, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); cerr != nil || err != nil {
		return 0
	}
	speeds := map[uint32]int64{unix.B4800: 4800, unix.B9600: 9600, unix.B19200: 19200, unix.B38400: 38400, unix.B57600: 57600, unix.B115200: 115200}
	return speeds[t.Cflag&unix.CBAUD]
}

// open opens the PC's side.
func (l *line) open(t *testing.T) (*Port, *Link) {
	t.Helper()
	port, err := OpenPort(l.port, 115200)
	must(t, err)
	t.Cleanup(func() { port.Close() })
	link := NewLink(port)
	link.Times = Times{Probe: 400 * time.Millisecond, Quit: patience * time.Second, Command: 5 * time.Second}
	return port, link
}

// toShell gets to the player's shell, as the verb does.
func toShell(t *testing.T, link *Link) {
	t.Helper()
	must(t, link.Quit(t.Context()))
	if state, err := link.Look(t.Context()); err != nil || state != Shell {
		t.Fatalf("state %v, %v", state, err)
	}
}

// fakeProgram is what is pushed: it does what the real one is asked for, and is
// long enough for things to happen meanwhile.
func fakeProgram(t *testing.T, root string, long int) string {
	t.Helper()
	text := fmt.Sprintf(`#!/bin/sh
case $1 in
version) echo "empegsync test" ;;
install) echo "laid down $*"; cp "$0" %s/laid ;;
esac
exit 0
`, root)
	random := rand.New(rand.NewPCG(3, 4))
	body := make([]byte, long)
	for i := range body {
		body[i] = byte(random.IntN(256))
	}
	name := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(name, append([]byte(text), body...), 0o755))
	return name
}

// onboard prepares the whole job on a line.
func onboard(l *line, link *Link, program string, said *[]string) *Onboard {
	return &Onboard{
		Link: link, Program: program, Root: l.root,
		Check: func(cpuinfo, version string) error {
			if !strings.Contains(cpuinfo, "5TEJ") || !strings.Contains(version, "6.1.0") {
				return fmt.Errorf("a strange player: %q, %q", cpuinfo, version)
			}
			return nil
		},
		Say: func(s string) { *said = append(*said, s) },
		Progress: func(done, total int64, _ time.Duration) {
			if done == total {
				*said = append(*said, "all sent")
			}
		},
	}
}

// arrived fails the test unless the program lies on the player as it is here, and
// nothing besides.
func arrived(t *testing.T, l *line, program string) {
	t.Helper()
	want, err := os.ReadFile(program)
	must(t, err)
	got, err := os.ReadFile(filepath.Join(l.root, "laid"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("what was laid down: %d bytes, want %d; %v", len(got), len(want), err)
	}
	left, err := os.ReadDir(filepath.Join(l.root, "drive0/empegsync"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, speed := range []int{115200, 4800} {
		t.Run(fmt.Sprint(speed), func(t *testing.T) {
			t.Parallel()
			l := newLine(t)
			l.speed.Store(int64(speed))
			port, link := l.open(t)
			state, at, err := link.Find(t.Context(), Speeds(), port.SetSpeed)
			if err != nil || state != Playing || at != speed {
				t.Fatalf("state %v at %d, %v", state, at, err)
			}
			toShell(t, link)
			state, at, err = link.Find(t.Context(), []int{speed}, port.SetSpeed)
			if err != nil || state != Shell || at != speed {
				t.Errorf("state %v at %d, %v", state, at, err)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		_, far := newPTY(t)
		port, err := OpenPort(far.Name(), 4800)
		must(t, err)
		defer port.Close()
		link := NewLink(port)
		link.Times = Times{Probe: 50 * time.Millisecond, Quit: time.Millisecond, Command: time.Second}
		if state, _, err := link.Find(t.Context(), Speeds(), port.SetSpeed); err != nil || state != Silent {
			t.Errorf("state %v, %v", state, err)
		}
		if err := link.Quit(t.Context()); !errors.Is(err, ErrSilent) {
			t.Errorf("quit: %v", err)
		}
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := l.open(t)
	toShell(t, link)
	res, err := link.Run(t.Context(), "echo one; echo two; (exit 3)", 0)
	if err != nil || res.Code != 3 || strings.Join(strings.Fields(res.Output), " ") != "one two" {
		t.Errorf("%q, code %d, %v", res.Output, res.Code, err)
	}
	if _, err := link.Do(t.Context(), "false", 0); err == nil {
		t.Error("false succeeds")
	}
	if _, err := link.Do(t.Context(), "no-such-program", 0); err == nil || !strings.Contains(err.Error(), "does not know it") {
		t.Errorf("a command that is not there: %v", err)
	}
	l.noise.Store(60) // nearly every line has a wrong letter
	for i := range 5 {
		if _, err := link.Run(t.Context(), "true", time.Second); err != nil && !errors.Is(err, ErrSilent) {
			t.Errorf("with noise, %d: %v", i, err)
		}
	}
	l.noise.Store(0)
	if _, err := link.Do(t.Context(), "true", 0); err != nil {
		t.Errorf("after the noise: %v", err)
	}
}

func TestOnboard(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := l.open(t)
	toShell(t, link)
	program := fakeProgram(t, l.root, 100_000)
	var said []string
	o := onboard(l, link, program, &said)
	o.Args = "--role slave"
	if err := o.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	arrived(t, l, program)
	all := strings.Join(said, "\n")
	for _, want := range []string{"sending the program", "checking length and sum", "empegsync test", "--role slave"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said:\n%s", want, all)
		}
	}
	if _, err := os.Stat(filepath.Join(l.root, "mounts")); err == nil {
		t.Error("a writable drive was remounted")
	}
}

// Noise in what the player sends makes both sides repeat, and nothing wrong is
// laid down.
func TestOnboardWithNoise(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := l.open(t)
	toShell(t, link)
	program := fakeProgram(t, l.root, 60_000)
	l.noise.Store(700)
	var said []string
	if err := onboard(l, link, program, &said).Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	arrived(t, l, program)
}

// A line that drops leaves what has come over; with the line back, it goes on from
// there.
func TestOnboardGoesOnAfterADrop(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := l.open(t)
	toShell(t, link)
	program := fakeProgram(t, l.root, 400_000)
	l.cut.Store(200_000)
	var said []string
	err := onboard(l, link, program, &said).Run(t.Context())
	if !errors.Is(err, ErrDropped) || !strings.Contains(err.Error(), "run this again") {
		t.Fatalf("with the cable out: %v", err)
	}
	there, err := filepath.Glob(filepath.Join(l.root, "drive0/empegsync/*.gz"))
	if err != nil || len(there) != 1 {
		t.Fatalf("what has come over: %v, %v", there, err)
	}
	l.cut.Store(0)
	l.plug(t)
	port, link := l.open(t)
	if _, _, err := link.Find(t.Context(), Speeds(), port.SetSpeed); err != nil {
		t.Fatal(err)
	}
	toShell(t, link)
	said = nil
	if err := onboard(l, link, program, &said).Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	arrived(t, l, program)
	if all := strings.Join(said, "\n"); !strings.Contains(all, "going on with the program") {
		t.Errorf("it begins anew:\n%s", all)
	}
	if l.passed > 330_000 {
		t.Errorf("%d bytes were sent to go on", l.passed)
	}
}

// A full disk is told before anything is sent, or when it fills up meanwhile; a
// read-only drive is read-only in the end.
func TestOnboardOnAFullDisk(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := l.open(t)
	toShell(t, link)
	program := fakeProgram(t, l.root, 50_000)
	bin := filepath.Join(l.root, "bin")
	fake := func(name, text string) {
		must(t, os.Remove(filepath.Join(bin, name)))
		must(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755))
	}
	fake("df", "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '/dev/hda4 100 90 10 90% /drive0'\n")
	var said []string
	err := onboard(l, link, program, &said).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "drive0 has 10 KB free") {
		t.Errorf("a full disk: %v", err)
	}
	fake("df", "echo '/dev/hda4 100000 90 90000 9% /drive0'\n")
	fake("gzip", "case $1 in -dc) echo 'gzip: stdout: No space left on device'; exit 1 ;; esac\nexec "+mustLook(t, "gzip")+" \"$@\"\n")
	err = onboard(l, link, program, &said).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "could not be unpacked: ") {
		t.Errorf("a disk that fills up: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(l.root, "drive0/empegsync/*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".gz") {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func mustLook(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	must(t, err)
	return path
}

// What does not run there, and what cannot, is told; the drive is as it was.
func TestOnboardRefuses(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := l.open(t)
	toShell(t, link)
	program := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(program, []byte("#!/bin/sh\necho Illegal instruction\nexit 132\n"), 0o755))
	var said []string
	o := onboard(l, link, program, &said)
	if err := o.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "does not run on the player") || !strings.Contains(err.Error(), "132") {
		t.Errorf("a program that does not run: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(l.root, "drive0/empegsync")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	no := errors.New("too old")
	o.Check = func(string, string) error { return no }
	if err := o.Run(t.Context()); !errors.Is(err, no) {
		t.Errorf("a player that is too old: %v", err)
	}
}

func TestLeaver(t *testing.T) {
	tests := []struct {
		typed, through string
		leave          bool
	}{
		{"~.", "", true},
		{"ls\r~.rest", "ls\r", true},
		{"a~.b", "a~.b", false},
		{"~~.", "~.", false},
		{"~x", "~x", false},
		{"cd ~\n", "cd ~\n", false},
		{"\x03~.", "\x03", true},
	}
	for _, tt := range tests {
		var v leaver
		var got []byte
		left := false
		for _, b := range []byte(tt.typed) { // one by one, as somebody types
			through, leave := v.filter([]byte{b})
			got = append(got, through...)
			if left = leave; leave {
				break
			}
		}
		if string(got) != tt.through || left != tt.leave {
			t.Errorf("%q: %q, leave %v", tt.typed, got, left)
		}
		v = leaver{}
		if all, leave := v.filter([]byte(tt.typed)); string(all) != tt.through || leave != tt.leave {
			t.Errorf("%q at once: %q, leave %v", tt.typed, all, leave)
		}
	}
}
