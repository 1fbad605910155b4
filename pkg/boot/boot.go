package boot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"
)

// System is the running system, as far as boot reads and changes it. NewLinux
// makes the real one.
type System interface {
	// Loopback tells how the interface lo is set up.
	Loopback() (Loopback, error)
	// RaiseLoopback brings lo up and gives it the addresses that a asks for.
	// What is there already is no error, and neither is ::1 on a kernel
	// without IPv6.
	RaiseLoopback(a RaiseLoopback) error
	// Hostname returns the kernel's host name, "(none)" if it was never set.
	Hostname() (string, error)
	// SetHostname sets it.
	SetHostname(name string) error
	// Address returns the address by which others reach this system: the
	// first global unicast IPv4 address of an interface that is up and not
	// loopback, else such an IPv6 address, else the zero Addr.
	Address() (netip.Addr, error)
	// WaitAddress returns what Address does as soon as there is one, or an
	// error when ctx is done.
	WaitAddress(ctx context.Context) (netip.Addr, error)
	// Writable makes the file system of path writable until restore is
	// called; see mounts.Guard.
	Writable(path string) (restore func() error, changed bool, err error)
}

// Desired is what the configuration asks for. The zero value asks for the
// player's own name.
type Desired struct {
	// Hostname wins over the player's name and over what is set. It is taken
	// as it is and must be a valid host name.
	Hostname string
}

// Options say how Run goes about it.
type Options struct {
	DryRun bool          // report the plan and change nothing
	System bool          // loopback and host name also when the root is not "/"
	Wait   time.Duration // wait this long for an address, if there is none yet
	Report func(Action)  // told each action before it is done; may be nil
}

// Run observes, plans and applies. With Options.Wait it does at once what can be
// done without an address, and the rest when one has come. The error joins
// everything that went wrong; the other things have been done nevertheless.
func Run(ctx context.Context, sys System, root string, desired Desired, options Options) error {
	system := options.System || filepath.Clean(root) == "/"
	observed, err := round(ctx, sys, root, desired, options, system)
	state := observed.System
	if options.Wait <= 0 || options.DryRun || state == nil || state.Address.IsValid() {
		return err
	}
	waitCtx, cancel := context.WithTimeout(ctx, options.Wait)
	defer cancel()
	if _, waitErr := sys.WaitAddress(waitCtx); waitErr != nil {
		if ctx.Err() == nil && errors.Is(waitErr, context.DeadlineExceeded) {
			waitErr = fmt.Errorf("no interface has got an address within %v; run boot again once the network is up", options.Wait)
		}
		return errors.Join(err, waitErr)
	}
	_, err = round(ctx, sys, root, desired, options, system) // what failed before is tried again
	return err
}

// round is one observe, plan, apply; system says whether the running system is
// looked after too.
func round(ctx context.Context, sys System, root string, desired Desired, options Options, system bool) (Observed, error) {
	var looked System
	if system {
		looked = sys
	}
	observed, observeErr := Observe(looked, root)
	actions, err := Plan(observed, desired)
	if err != nil {
		return observed, errors.Join(observeErr, err)
	}
	if options.Report != nil {
		for _, a := range actions {
			options.Report(a)
		}
	}
	if options.DryRun {
		return observed, observeErr
	}
	return observed, errors.Join(observeErr, Apply(ctx, sys, root, actions))
}
