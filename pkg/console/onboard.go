package console

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Onboard brings the program onto a player at the other end of a line, whose shell
// is at its prompt.
type Onboard struct {
	Link    *Link
	Program string // a file of this machine
	Root    string // of the player as its shell sees it; "" for /
	// Check says whether the program can run on a machine of which /proc/cpuinfo
	// and /proc/version say this.
	Check func(cpuinfo, version string) error
	// Say is told each step, and what the player says.
	Say func(line string)
	// Progress is told how much of the transfer is done, in bytes, and how long
	// the rest will take, 0 if that cannot be said yet.
	Progress func(done, total int64, left time.Duration)
	// Args are for "install" on the player.
	Args string
}

// How long the player is given for what takes long.
const (
	unpackPatience  = 3 * time.Minute
	installPatience = 3 * time.Minute
	pushTries       = 5
)

// packed is the program as it goes over the line: half as long, and with a sum
// that the player itself can check.
type packed struct {
	path    string // on this machine
	name    string
	size    int64
	program int64  // size unpacked
	trailer string // the last eight bytes in hexadecimal: sum and size of the program
}

// Run does all steps. The drive is read-only in the end if it was in the
// beginning, whatever happened, unless the line has dropped. A second run goes on
// where the first stopped.
func (o *Onboard) Run(ctx context.Context) (err error) {
	if err := o.inspect(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "empegsync-console")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := pack(o.Program, dir)
	if err != nil {
		return err
	}
	if err := o.room(ctx, p); err != nil {
		return err
	}
	lock, err := o.unlock(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if !errors.Is(err, ErrDropped) {
			err = errors.Join(err, lock())
		}
	}()
	folder := o.Root + "/drive0/empegsync"
	if _, err := o.Link.Do(ctx, "test -d "+folder+" || mkdir "+folder, 0); err != nil {
		return err
	}
	if err := o.push(ctx, p, folder); err != nil {
		return err
	}
	return o.install(ctx, p, folder)
}

// inspect asks the player what it is.
func (o *Onboard) inspect(ctx context.Context) error {
	o.Say("looking at the player's processor and kernel")
	cpuinfo, err := o.Link.Do(ctx, "cat "+o.Root+"/proc/cpuinfo", 0)
	if err != nil {
		return err
	}
	version, err := o.Link.Do(ctx, "cat "+o.Root+"/proc/version", 0)
	if err != nil {
		return err
	}
	return o.Check(cpuinfo, version)
}

// room asks how much is free on the drive: df writes it before the percentage.
func (o *Onboard) room(ctx context.Context, p packed) error {
	out, err := o.Link.Do(ctx, "df -k "+o.Root+"/drive0", 0)
	if err != nil {
		return err
	}
	found := regexp.MustCompile(`([0-9]+)\s+[0-9]+%`).FindStringSubmatch(out)
	if found == nil {
		return fmt.Errorf("the free space on drive0 was not understood: %s", out)
	}
	free, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		return err
	}
	need := (p.size+2*p.program)>>10 + 1024
	if free < need {
		return fmt.Errorf("drive0 has %d KB free and %d KB are needed: the packed program, the program, and its copy in place", free, need)
	}
	return nil
}

// unlock makes the drive writable, and returns what undoes that.
func (o *Onboard) unlock(ctx context.Context) (lock func() error, err error) {
	try := o.Root + "/drive0/.empegsync-try"
	res, err := o.Link.Run(ctx, "(: >"+try+") 2>/dev/null && rm -f "+try, 0)
	if err != nil || res.Code == 0 {
		return func() error { return nil }, err
	}
	o.Say("making drive0 writable")
	if _, err := o.Link.Do(ctx, "mount -n -o remount,rw "+o.Root+"/drive0", 0); err != nil {
		return nil, err
	}
	return func() error {
		o.Say("making drive0 read-only again")
		_, err := o.Link.Do(context.WithoutCancel(ctx), "sync; mount -n -o remount,ro "+o.Root+"/drive0", 0)
		return err
	}, nil
}

// push sends the packed program until it is there, and checks it.
func (o *Onboard) push(ctx context.Context, p packed, folder string) error {
	there := folder + "/" + p.name
	var last error
	for try := range pushTries {
		size, err := o.size(ctx, there)
		if err != nil {
			return err
		}
		if size < p.size {
			how := "sending"
			if size > 0 {
				how = "going on with"
			}
			o.Say(fmt.Sprintf("%s the program: %d KB of %d KB to go", how, (p.size-size)>>10, p.size>>10))
			last = o.Link.Push(ctx, p.path, folder, o.meter(size, p.size))
			if errors.Is(last, ErrDropped) || ctx.Err() != nil {
				return fmt.Errorf("%w; what has come over stays, run this again to go on", last)
			}
			if size, err = o.size(ctx, there); err != nil {
				return err
			}
		}
		if size == p.size {
			last = o.verify(ctx, p, there)
			if last == nil {
				return nil
			}
			o.Say(last.Error())
		}
		if size >= p.size { // whole and wrong: there is nothing to go on with
			if _, err := o.Link.Do(ctx, "rm -f "+there, 0); err != nil {
				return err
			}
		}
		if last != nil {
			o.Say(fmt.Sprintf("try %d: %v", try+1, last))
		}
	}
	return fmt.Errorf("the program could not be sent: %w", last)
}

// size asks how long a file of the player is; 0 if it is not there.
func (o *Onboard) size(ctx context.Context, name string) (int64, error) {
	answer := ""
	for range 4 { // noise may have taken a part of the line
		res, err := o.Link.Run(ctx, "test ! -f "+name+" || ls -l "+name, 0)
		if err != nil {
			return 0, err
		}
		if answer = strings.TrimSpace(res.Output); answer == "" {
			return 0, nil
		}
		if fields := strings.Fields(answer); len(fields) > 5 {
			if n, err := strconv.ParseInt(fields[4], 10, 64); err == nil {
				return n, nil
			}
		}
	}
	return 0, fmt.Errorf("the length of %s was not understood: %s", name, answer)
}

// verify has the player check what has come over: gzip compares the content with
// the sum at its end, and that sum is read back.
func (o *Onboard) verify(ctx context.Context, p packed, there string) error {
	o.Say("checking length and sum on the player")
	res, err := o.Link.Run(ctx, "gzip -t "+there, unpackPatience)
	if err != nil {
		return err
	}
	if res.Code != 0 {
		return fmt.Errorf("what came over is damaged: %s", strings.TrimSpace(res.Output))
	}
	out, err := o.Link.Do(ctx, fmt.Sprintf("dd if=%s bs=1 skip=%d count=8 2>/dev/null | od -t x1", there, p.size-8), 0)
	if err != nil {
		return err
	}
	if got := strings.Join(regexp.MustCompile(`\b[0-9a-f]{2}\b`).FindAllString(out, -1), ""); got != p.trailer {
		return fmt.Errorf("what came over has the sum %s, not %s", got, p.trailer)
	}
	return nil
}

// install unpacks the program, tries it, and leaves the rest to it.
func (o *Onboard) install(ctx context.Context, p packed, folder string) error {
	gz, program := folder+"/"+p.name, folder+"/"+strings.TrimSuffix(p.name, ".gz")
	o.Say("unpacking it")
	res, err := o.Link.Run(ctx, "gzip -dc "+gz+" >"+program+" && chmod 755 "+program, unpackPatience)
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("it could not be unpacked: %s", strings.TrimSpace(res.Output))
	}
	if err != nil {
		_, rerr := o.Link.Run(context.WithoutCancel(ctx), "rm -f "+program, 0)
		return errors.Join(err, rerr)
	}
	version, err := o.Link.Do(ctx, program+" version", 0)
	if err != nil {
		_, rerr := o.Link.Run(context.WithoutCancel(ctx), "rm -f "+program+" "+gz, 0)
		return errors.Join(fmt.Errorf("the program does not run on the player: %w", err), rerr)
	}
	o.Say(strings.TrimSpace(version))
	o.Say("installing it")
	root := o.Root + "/"
	res, err = o.Link.Run(ctx, program+" install --root "+root+" --from "+program+" "+o.Args, installPatience)
	for line := range strings.Lines(res.Output) {
		if line = strings.TrimSpace(line); line != "" {
			o.Say("  " + line)
		}
	}
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("the installation failed with exit code %d", res.Code)
	}
	if err != nil {
		return err
	}
	_, err = o.Link.Do(ctx, "rm -f "+program+" "+gz, 0)
	return err
}

// meter turns bytes sent into progress.
func (o *Onboard) meter(from, total int64) func(int64) {
	start := time.Now()
	return func(sent int64) {
		done := min(from+sent, total)
		var left time.Duration
		if spent := time.Since(start); sent > 0 && spent > time.Second {
			left = time.Duration(float64(total-done) / float64(sent) * float64(spent))
		}
		o.Progress(done, total, left)
	}
}

// pack compresses the program into a file whose name tells it from any other.
func pack(program, dir string) (p packed, err error) {
	in, err := os.Open(program)
	if err != nil {
		return p, err
	}
	defer in.Close()
	temp := filepath.Join(dir, "packed")
	out, err := os.Create(temp)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return p, err
	}
	if p.program, err = io.Copy(z, in); err != nil {
		return p, err
	}
	if err := z.Close(); err != nil {
		return p, err
	}
	if p.size, err = out.Seek(0, io.SeekEnd); err != nil {
		return p, err
	}
	var trailer [8]byte
	if _, err := out.ReadAt(trailer[:], p.size-8); err != nil {
		return p, err
	}
	p.trailer = fmt.Sprintf("%x", trailer)
	p.name = fmt.Sprintf("empegsync-new-%08x.gz", binary.LittleEndian.Uint32(trailer[:]))
	p.path = filepath.Join(dir, p.name)
	return p, os.Rename(temp, p.path)
}
