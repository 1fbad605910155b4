package consoletest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What lies in a player's root, besides what the test has put there. The player
// plays until somebody types q, and again when the shell that comes then ends.
func files(root string) map[string]string {
	return map[string]string{
		"proc/cpuinfo": "Processor : ARM926EJ-S rev 5 (v5l)\nCPU architecture: 5TEJ\n",
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
	}
}

// programs are those of this machine that the player's shell finds, which are the
// ones that a player has.
const programs = "cat chmod cp dd df grep gzip ls mkdir od rm rz sync bash"

// layPlayer completes a root. What is there stays, but for mount: remounting this
// machine's file systems is not asked for.
func layPlayer(t testing.TB, root string) {
	t.Helper()
	for _, dir := range []string{"bin", "drive0/var", "proc"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for name, text := range files(root) {
		must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o755))
	}
	for name := range strings.FieldsSeq(programs) {
		target, err := exec.LookPath(name)
		must(t, err)
		link := filepath.Join(root, "bin", name)
		if _, err := os.Lstat(link); err != nil {
			must(t, os.Symlink(target, link))
		}
	}
}

// runPlayer switches the player on, with its console at far; it returns how to
// switch it off.
func runPlayer(t testing.TB, root string, far *os.File) (off func()) {
	t.Helper()
	cmd := exec.Command("/bin/sh", filepath.Join(root, "init"))
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + filepath.Join(root, "bin"), `PS1=empeg:\w\$ `, "TERM=vt100"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its session; gone already is fine
		_ = cmd.Wait()                                      // killed
	}
}

// Program makes a program to bring onto a player whose root is given: it says its
// version, lays itself down where it belongs when it shall install, and asks one
// question for setup. It is as long as something that takes a while to
// send; what it does not need of that is noise, so that packing makes it no shorter.
func Program(t testing.TB, root string, long int) string {
	t.Helper()
	text := `#!/bin/sh
case $1 in
version) echo "empegsync test" ;;
install) echo "laid down $*"; cp "$0" ` + root + `/drive0/empegsync/empegsync ;;
setup) echo "Its name: "; read -r name; echo "$name" >` + root + `/named ;;
esac
exit 0
`
	random := rand.New(rand.NewPCG(3, 4))
	body := make([]byte, long)
	for i := range body {
		body[i] = byte(random.IntN(256))
	}
	name := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(name, append([]byte(text), body...), 0o755))
	return name
}

// Arrived fails the test unless the program lies on the player as it is here, and
// nothing besides.
func (l *Line) Arrived(t testing.TB, program string) {
	t.Helper()
	want, err := os.ReadFile(program)
	must(t, err)
	folder := filepath.Join(l.Root, "drive0/empegsync")
	got, err := os.ReadFile(filepath.Join(folder, "empegsync"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("what was laid down: %d bytes, want %d; %v", len(got), len(want), err)
	}
	there, err := os.ReadDir(folder)
	if err != nil || len(there) != 1 {
		t.Errorf("left behind: %v, %v", there, err)
	}
}
