package consoletest

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Line is a cable between a PC and a player. What the test stores in its fields
// counts from the next byte on.
type Line struct {
	Root    string       // the player's
	Speed   atomic.Int64 // the player's, 115200 at first; at any other there is only noise
	Noise   atomic.Int64 // one byte in so many that the player sends is changed; 0 for none
	NoiseTo atomic.Int64 // the same of those that are sent to it
	Cut     atomic.Int64 // drop the line after so many bytes to the player; 0 for never

	player *os.File // the player's end
	mu     sync.Mutex
	near   *os.File // the PC's end; closed when the cable is out
	port   string   // what the PC opens
	passed int64    // bytes to the player since Plug
}

// Start switches on a player whose root is a folder of this machine, completes
// what lies there, and puts in a cable. The test's end switches it off.
func Start(t testing.TB, root string) *Line {
	t.Helper()
	layPlayer(t, root)
	near, far := PTY(t)
	off := runPlayer(t, root, far)
	l := &Line{Root: root, player: near}
	t.Cleanup(func() { near.Close(); off() })
	far.Close() // now the player has the last one
	l.Speed.Store(115200)
	l.Plug(t)
	go l.fromPlayer()
	return l
}

// Plug puts in a cable, the first one or a new one after a drop. Its PC's end has
// another name than before.
func (l *Line) Plug(t testing.TB) {
	near, far := PTY(t)
	l.mu.Lock()
	l.near, l.port, l.passed = near, far.Name(), 0
	l.mu.Unlock()
	go l.toPlayer(near)
}

// Port is the device that a PC opens.
func (l *Line) Port() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.port
}

// Passed is how many bytes have come to the player since the cable was put in.
func (l *Line) Passed() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.passed
}

func (l *Line) cable() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.near
}

// toPlayer carries what the PC sends. At a wrong speed it does not arrive: letters
// of noise would be the player's commands.
func (l *Line) toPlayer(near *os.File) {
	buf := make([]byte, 4096)
	random := rand.New(rand.NewPCG(5, 6))
	for {
		n, err := near.Read(buf)
		if err != nil {
			return
		}
		if portSpeed(near) != l.Speed.Load() {
			continue
		}
		l.mu.Lock()
		l.passed += int64(n)
		drop := l.Cut.Load() > 0 && l.passed >= l.Cut.Load()
		l.mu.Unlock()
		if drop {
			near.Close() // the cable is out: the PC's side fails
			return
		}
		disturb(buf[:n], l.NoiseTo.Load(), random)
		if _, err := l.player.Write(buf[:n]); err != nil {
			return
		}
	}
}

// fromPlayer carries what the player sends.
func (l *Line) fromPlayer() {
	buf := make([]byte, 4096)
	random := rand.New(rand.NewPCG(1, 2))
	for {
		n, err := l.player.Read(buf)
		if err != nil {
			return
		}
		near := l.cable()
		if portSpeed(near) == l.Speed.Load() {
			disturb(buf[:n], l.Noise.Load(), random)
		} else {
			for i := range n {
				buf[i] = byte(0x80 | random.IntN(128))
			}
		}
		_, _ = near.Write(buf[:n]) // lost while the cable is out
	}
}

// disturb changes one byte in so many.
func disturb(chunk []byte, every int64, random *rand.Rand) {
	for i := range chunk {
		if every > 0 && random.Int64N(every) == 0 {
			chunk[i] ^= 0x45
		}
	}
}

// portSpeed is the speed that the PC has set, 0 if it has hung up.
func portSpeed(near *os.File) int64 {
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
