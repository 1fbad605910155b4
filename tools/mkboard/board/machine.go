package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Options say how a board is run.
type Options struct {
	MemoryMB int       // 64 if 0
	Forward  string    // HOST:PORT at this machine that leads to port 873 of the board at HostedAddress
	Cable    Cable     // to another board, instead of to this machine
	Log      io.Writer // gets the console's lines; may be nil
}

// The addresses that count: a board must have HostedAddress for Options.Forward to
// reach it, and sees this machine as GatewayAddress.
const (
	HostedAddress  = "10.0.2.15"
	GatewayAddress = "10.0.2.2"
)

// Cable joins two boards through two sockets: what one sends to Theirs, the other
// receives as Ours. Without names there is no cable.
type Cable struct{ Ours, Theirs string }

// Machine is a running board.
type Machine struct {
	*Console
	cmd   *exec.Cmd
	input io.WriteCloser
	ended chan struct{} // closed after the emulator has ended
}

// arguments of the emulator. Everything that is not asked for stays away.
func (b *Base) arguments(d Disks, o Options) []string {
	memory := o.MemoryMB
	if memory == 0 {
		memory = 64
	}
	args := []string{
		"-M", "virt", "-m", strconv.Itoa(memory), "-accel", "tcg,tb-size=128", "-nodefaults", "-nographic",
		"-kernel", b.Kernel, "-initrd", b.Initrd, "-append", "console=ttyAMA0 loglevel=5 printk.devkmsg=on panic=0 cma=0",
		"-device", "virtio-rng-device",
	}
	// What the board has written and synced lies in this machine's memory, where it
	// survives the end of the emulator: no need to wait for this machine's disk.
	for _, disk := range []struct{ name, file string }{{"root", d.Root}, {"drive0", d.Drive0}, {"drive1", d.Drive1}} {
		if disk.file != "" {
			args = append(args, "-drive", "if=none,format=raw,cache=unsafe,id="+disk.name+",file="+disk.file,
				"-device", "virtio-blk-device,drive="+disk.name+",serial="+disk.name)
		}
	}
	return append(args, network(o)...)
}

// network makes one network of the host, the other board and the board's eth0, as
// far as they are asked for.
func network(o Options) []string {
	args := []string{"-netdev", "hubport,id=eth0,hubid=0", "-device", "virtio-net-device,netdev=eth0"}
	if o.Cable != (Cable{}) {
		args = append(args, "-netdev", "dgram,id=cable,local.type=unix,local.path="+o.Cable.Ours+",remote.type=unix,remote.path="+o.Cable.Theirs,
			"-netdev", "hubport,id=port1,hubid=0,netdev=cable")
	} else {
		user := "user,id=host,ipv6=off"
		if o.Forward != "" {
			user += ",hostfwd=tcp:" + o.Forward + "-" + HostedAddress + ":873"
		}
		args = append(args, "-netdev", user, "-netdev", "hubport,id=port1,hubid=0,netdev=host")
	}
	return args
}

const emulator = "qemu-system-arm"

// Start switches a board on. It runs until its power is cut (Cut), it switches
// itself off, or ctx ends.
func Start(ctx context.Context, b *Base, d Disks, o Options) (*Machine, error) {
	cmd := exec.CommandContext(ctx, emulator, append(b.arguments(d, o), "-serial", "stdio")...)
	// The emulator must not outlive whoever started it, nor get a terminal's ^C.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	err = cmd.Start()
	writer.Close()
	if err != nil {
		output.Close()
		return nil, fmt.Errorf("start a board: %w (Debian's package %s)", err, emulator)
	}
	m := &Machine{Console: newConsole(input, o.Log), cmd: cmd, input: input, ended: make(chan struct{})}
	go func() {
		m.Console.read(output)
		output.Close()
		_ = cmd.Wait() // that it was killed is no news
		close(m.ended)
	}()
	return m, nil
}

// Cut takes the power away, at once, and returns when it is gone. It may be called
// again.
func (m *Machine) Cut() {
	_ = m.cmd.Process.Kill() // it may have ended already
	<-m.ended
	m.input.Close()
}

// Work is how much processor time the emulator has used, once it has ended.
func (m *Machine) Work() time.Duration {
	<-m.ended
	return m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime()
}

// WaitOff waits until the board has switched itself off.
func (m *Machine) WaitOff(ctx context.Context) error {
	select {
	case <-m.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the board has not switched itself off: %w", ctx.Err())
	}
}

// RunInteractive runs a board on this process's own terminal until it is switched
// off: Ctrl-A and x end it, Ctrl-A and h help.
func RunInteractive(ctx context.Context, b *Base, d Disks, o Options) error {
	cmd := exec.CommandContext(ctx, emulator, append(b.arguments(d, o), "-serial", "mon:stdio")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: install Debian's package %s", err, emulator)
	}
	return err
}
