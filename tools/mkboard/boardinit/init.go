package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the player's exit code asks of init.
const (
	exitRestart  = 42 // start the player again
	exitNoPlayer = 43 // go without a player
	exitCommand  = 44 // run initCommand, then start the player again
)

const (
	playerProgram = "/empeg/bin/player"
	initCommand   = "/drive0/var/init-command"
	preinit       = "/etc/preinit.d"
)

// boardInit is process 1.
type boardInit struct {
	drives  []string // mounted
	signals chan os.Signal
	console *bufio.Reader
}

func newInit() *boardInit {
	i := &boardInit{signals: make(chan os.Signal, 8), console: bufio.NewReader(os.Stdin)}
	// What reboot, halt and poweroff of a small system send to process 1, and
	// SIGCHLD so that a wait can be broken off by them.
	signal.Notify(i.signals, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGCHLD)
	return i
}

func say(format string, args ...any) { fmt.Printf("init: "+format+"\r\n", args...) }

// life never returns but for an error at the start.
func (i *boardInit) life() error {
	for name, value := range map[string]string{"PATH": "/bin:/sbin:/empeg/bin", "HOME": "/", "TERM": "vt100"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// Against fragmentation the kernel keeps some megabytes back at times: of so few,
	// that it then ends programs for want of memory while it has plenty.
	if err := os.WriteFile("/proc/sys/vm/watermark_boost_factor", []byte("0"), 0); err != nil {
		return err
	}
	i.mountDrives()
	i.preinit()
	readOnly := false // it has just been done
	for {
		if readOnly {
			i.readOnly()
		}
		say("starting the player; q and Enter quit it")
		code := i.child(playerProgram)
		say("the player has ended with exit code %d", code)
		i.readOnly()
		readOnly = true
		switch code {
		case exitRestart:
		case exitNoPlayer:
			i.noPlayer()
		case exitCommand:
			if _, err := os.Stat(initCommand); err == nil {
				say("running %s", initCommand)
				i.child(initCommand)
			}
		default:
			i.child("/bin/sh", "--login")
			readOnly = false // whoever had the shell may want writable drives
		}
	}
}

// mountDrives mounts what is there, first writable and then read-only, as a player
// does: the journal of a drive that lost its power is played back at that time.
// Without access times, since writing one keeps a drive for a moment from becoming
// read-only, and a test types faster than a person.
func (i *boardInit) mountDrives() {
	for _, d := range []struct{ device, at string }{{"/dev/hda4", "/drive0"}, {"/dev/hdc4", "/drive1"}} {
		if _, err := os.Stat(d.device); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := unix.Mount(d.device, d.at, "ext4", unix.MS_NOATIME, ""); err != nil {
			say("cannot mount %s: %v", d.at, err)
			continue
		}
		i.drives = append(i.drives, d.at)
	}
	say("mounted %s", strings.Join(i.drives, " "))
	i.readOnly()
}

func (i *boardInit) readOnly() {
	for _, at := range i.drives {
		if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOATIME, ""); err != nil {
			say("%s stays writable: %v%s", at, err, openOn(at))
		}
	}
	unix.Sync()
}

// preinit runs what lies in /etc/preinit.d, which the developer image does not have
// and boards with another kernel may.
func (i *boardInit) preinit() {
	scripts, err := os.ReadDir(preinit)
	if err != nil {
		return
	}
	for _, de := range scripts {
		say("running %s/%s", preinit, de.Name())
		i.run(&syscall.SysProcAttr{}, preinit+"/"+de.Name())
	}
}

// noPlayer waits until somebody asks for the shell.
func (i *boardInit) noPlayer() {
	say("no player; q and Enter for a shell")
	for {
		line, err := i.console.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "q" {
			break
		}
	}
	i.child("/bin/sh", "--login")
}

// child runs a program that has the console for itself. When it ends, the console
// hangs up for all that it has started.
func (i *boardInit) child(argv ...string) int {
	return i.run(&syscall.SysProcAttr{Setsid: true, Setctty: true}, argv...)
}

// run runs a program and returns its exit code, 128 and the number for one that a
// signal ended, 127 for one that could not be started. Meanwhile it waits for
// orphans, and goes down when told to.
func (i *boardInit) run(attr *syscall.SysProcAttr, argv ...string) int {
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: "/empeg/bin", Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: attr,
	})
	if err != nil {
		say("cannot run %s: %v", argv[0], err)
		return 127
	}
	for {
		for {
			var ws unix.WaitStatus
			got, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
			if err != nil || got == 0 {
				break
			}
			if got == pid && ws.Signaled() {
				return 128 + int(ws.Signal())
			}
			if got == pid {
				return ws.ExitStatus()
			}
		}
		if s := <-i.signals; s != unix.SIGCHLD {
			i.shutDown(s)
		}
	}
}

// shutDown ends everything and restarts or stops the machine.
func (i *boardInit) shutDown(s os.Signal) {
	say("going down (%v)", s)
	_ = unix.Kill(-1, unix.SIGTERM) // there may be nobody left
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	i.readOnly()
	for _, at := range i.drives {
		if err := unix.Unmount(at, 0); err != nil {
			say("unmount %s: %v", at, err)
		}
	}
	if s == unix.SIGTERM {
		say("restarting")
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	halt()
}

// halt stops the machine; the emulator ends.
func halt() {
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}
