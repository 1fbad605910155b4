package console

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Speeds are the rates at which a player's console may run, the likeliest first:
// 115200 as a rule, 4800 on car power.
func Speeds() []int { return []int{115200, 4800, 57600, 38400, 19200, 9600} }

// Port is a serial line of this machine.
type Port struct{ *os.File }

// OpenPort opens a serial line with eight bits, no parity and no flow control, as
// a player has it. A line that another program has opened is refused.
func OpenPort(name string, baud int) (*Port, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w (is the cable in, and may you use it? its group is often dialout)", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another program", name)
	}
	p := &Port{f}
	if err := p.SetSpeed(baud); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// SetSpeed changes the rate; what has come in so far is thrown away.
func (p *Port) SetSpeed(baud int) error {
	bits := map[int]uint32{4800: unix.B4800, 9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200}
	rate, ok := bits[baud]
	if !ok {
		all := Speeds()
		slices.Sort(all)
		return fmt.Errorf("%d baud: a player's console has one of %v", baud, all)
	}
	raw, err := p.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) { setErr = setLine(int(fd), rate) })
	if err == nil {
		err = setErr
	}
	if err != nil {
		return fmt.Errorf("set up the line %s: %w", p.Name(), err)
	}
	return nil
}

func setLine(fd int, rate uint32) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag = unix.IGNBRK | unix.IGNPAR
	t.Oflag, t.Lflag = 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | rate
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	t.Ispeed, t.Ospeed = rate, rate
	if err := unix.IoctlSetTermios(fd, unix.TCSETSW, t); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH)
}
