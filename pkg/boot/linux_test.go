package boot

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/ownspace"
)

// readOnlyRoot is a player's root on a file system that is mounted read-only.
func readOnlyRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", root, "tmpfs", unix.MS_NOSUID, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(root, unix.MNT_DETACH) })
	for _, d := range []string{"etc", "empeg", "drive0/var"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link(t, root, "../drive0/var", "empeg/var")
	put(t, root, "drive0/var/config.ini", "[Options]\nname=Kitchen\n")
	if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID, ""); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestLinux(t *testing.T) {
	if !ownspace.Enter(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWUTS) {
		return
	}
	root := readOnlyRoot(t)
	sys := NewLinux(mounts.NewGuard(mounts.Linux{}, nil))
	if err := sys.SetHostname("(none)"); err != nil {
		t.Fatal(err)
	}
	lo, err := sys.Loopback()
	if err != nil || lo.Up || lo.IPv4 {
		t.Fatalf("at the start: %+v, %v", lo, err)
	}
	if _, err := net.Dial("tcp", "127.0.0.1:1"); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("127.0.0.1 before boot: %v", err)
	}
	want := []string{
		"bring up loopback with 127.0.0.1/8 and ::1",
		`set hostname to "kitchen"`,
		"add 127.0.0.1 localhost to /etc/hosts",
		"add user root and user nobody to /etc/passwd",
		"add group root and group nobody to /etc/group",
	}
	if lo.NoIP6 {
		want[0] = "bring up loopback with 127.0.0.1/8"
	}
	said, err := run(t, sys, root, Options{System: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if _, err := net.Dial("tcp", "127.0.0.1:1"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("127.0.0.1 after boot: %v", err)
	}
	if name, err := os.Hostname(); err != nil || name != "kitchen" {
		t.Errorf("hostname %q, %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(root, "x"), nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("the root is not read-only again: %v", err)
	}
	if got := tree(t, root)["group"]; got != "0644 root:x:0:\nnobody:x:65534:\n" {
		t.Errorf("group %q", got)
	}
	if said, err := run(t, sys, root, Options{System: true}); err != nil || said != nil {
		t.Errorf("a second time: %q, %v", said, err)
	}
	lateAddress(t, sys, root)
	loseAddress(t, sys, root)
}

// lateAddress gives an interface its address while boot waits for it.
func lateAddress(t *testing.T, sys *Linux, root string) {
	link := addInterface(t)
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	if address, err := sys.Address(); err != nil || address.IsValid() {
		t.Fatalf("before: %v, %v", address, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := sys.WaitAddress(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitAddress without one: %v", err)
	}
	added := make(chan error, 1)
	go func() {
		time.Sleep(50 * time.Millisecond)
		added <- addAddress(link, netip.MustParsePrefix("10.1.2.3/24"))
	}()
	said, err := run(t, sys, root, Options{System: true, Wait: 20 * time.Second})
	if err := errors.Join(err, <-added); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"add 10.1.2.3 kitchen to /etc/hosts"}, said); diff != "" {
		t.Error(diff)
	}
}

// addInterface makes an interface of a kind that this kernel knows.
func addInterface(t *testing.T) netlink.Link {
	t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "eth0"
	var errs []error
	for _, link := range []netlink.Link{
		&netlink.Dummy{LinkAttrs: attributes},
		&netlink.Veth{LinkAttrs: attributes, PeerName: "peer0"},
		&netlink.Bridge{LinkAttrs: attributes},
		&netlink.Ifb{LinkAttrs: attributes},
		&netlink.Tuntap{LinkAttrs: attributes, Mode: netlink.TUNTAP_MODE_TAP},
	} {
		err := netlink.LinkAdd(link)
		if err == nil {
			return link
		}
		errs = append(errs, err)
	}
	t.Fatalf("no kind of interface can be made: %v", errors.Join(errs...))
	return nil
}

// loseAddress completes a loopback that has lost an address.
func loseAddress(t *testing.T, sys *Linux, root string) {
	link, err := netlink.LinkByName(loopbackName)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(addresses) != 1 {
		t.Fatalf("addresses of lo: %v, %v", addresses, err)
	}
	if err := netlink.AddrDel(link, &addresses[0]); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{{"add 127.0.0.1/8 to loopback"}, nil} {
		said, err := run(t, sys, root, Options{System: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Error(diff)
		}
	}
}

// An ordinary view of the system needs no rights.
func TestLinuxObserve(t *testing.T) {
	sys := NewLinux(mounts.NewGuard(mounts.Linux{}, nil))
	state, err := observeSystem(sys)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Hostname()
	if err != nil || state.Hostname != want || state.Loopback == nil {
		t.Errorf("state %+v, want hostname %q, %v", state, want, err)
	}
}
