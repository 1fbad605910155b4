// Package batch writes and reads what stands in a batch file before the stream
// itself (batch.c, io.c:start_write_batch), and the script beside it.
//
// A batch file is what a receiving client reads from its peer once the filter
// list is through, without frames: the file list, the items with their data, the
// statistics, the goodbye. In front of it stands what the handshake has settled.
package batch

import (
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Flags are the options that change what the stream looks like, a bit each
// (batch.c:flag_ptr).
type Flags uint32

// Header is what stands in front of the stream. The compatibility flags and the
// seed, which follow it, are those of the session.
type Header struct {
	Flags   Flags
	Version int32
}

// Append appends a header (batch.c:write_stream_flags, io.c:start_write_batch).
func (h Header) Append(b []byte) []byte {
	return wire.AppendInt32(wire.AppendInt32(b, int32(h.Flags)), h.Version)
}

// ReadHeader reads a header. The error maps to an exit code.
func ReadHeader(r *wire.Reader) (Header, error) {
	h := Header{Flags: Flags(r.Int32()), Version: r.Int32()}
	switch {
	case r.Err() != nil:
		return h, proto.Failf(proto.ExitFileIO, "read the batch file: %w", r.Err())
	case h.Version > proto.MaxVersion:
		return h, proto.Failf(proto.ExitProtocol, "The protocol version in the batch file is too new (%d > %d).", h.Version, proto.MaxVersion)
	case h.Version < proto.MinVersion:
		return h, proto.Failf(proto.ExitProtocol, "this is no batch file, or one of protocol %d: %s can be read", h.Version, proto.VersionRange())
	}
	return h, nil
}

// flag is an option that has a bit.
type flag struct {
	name string
	get  func(*options.Options) bool
	set  func(*options.Options, bool)
}

func boolean(name string, field func(*options.Options) *bool) flag {
	return flag{name, func(o *options.Options) bool { return *field(o) }, func(o *options.Options, on bool) { *field(o) = on }}
}

func appendFlag(name string, mode options.AppendMode) flag {
	return flag{name, func(o *options.Options) bool { return o.Append == mode }, func(o *options.Options, on bool) {
		if on {
			o.Append = mode
		} else if o.Append == mode {
			o.Append = options.AppendNo
		}
	}}
}

// iconvFlag is the bit of an option that no batch file has the value of.
const iconvFlag = 9

// flags returns the options in the order of their bits.
func flags() []flag {
	return []flag{
		boolean("--recurse (-r)", func(o *options.Options) *bool { return &o.Recurse }),
		boolean("--owner (-o)", func(o *options.Options) *bool { return &o.Owner }),
		boolean("--group (-g)", func(o *options.Options) *bool { return &o.Group }),
		boolean("--links (-l)", func(o *options.Options) *bool { return &o.Links }),
		boolean("--devices (-D)", func(o *options.Options) *bool { return &o.Devices }),
		boolean("--hard-links (-H)", func(o *options.Options) *bool { return &o.HardLinks }),
		boolean("--checksum (-c)", func(o *options.Options) *bool { return &o.Checksum }),
		{"--dirs (-d)", (*options.Options).TransferDirs, func(o *options.Options, on bool) {
			o.Dirs = options.DirsNo
			if on {
				o.Dirs = options.DirsYes
			}
		}},
		{"--compress (-z)", compresses, func(o *options.Options, on bool) {
			o.Compress, o.CompressChoice = 0, ""
			if on {
				o.Compress = 1
			}
		}},
		{"--iconv", func(o *options.Options) bool { return o.Iconv != "" }, nil},
		boolean("--acls (-A)", func(o *options.Options) *bool { return &o.ACLs }),
		{"--xattrs (-X)", func(o *options.Options) bool { return o.Xattrs > 0 }, func(o *options.Options, on bool) {
			o.Xattrs = 0
			if on {
				o.Xattrs = 1
			}
		}},
		boolean("--inplace", func(o *options.Options) *bool { return &o.Inplace }),
		appendFlag("--append", options.AppendTrust),
		appendFlag("--append-verify", options.AppendVerify),
	}
}

func compresses(o *options.Options) bool {
	on, _ := o.Compression()
	return on
}

// FlagsOf returns the bits of the options that are on.
func FlagsOf(o *options.Options) Flags {
	var f Flags
	for i, x := range flags() {
		if x.get(o) {
			f |= 1 << i
		}
	}
	return f
}

// Apply makes options those of a batch of a version, and returns a line for each
// that it has changed (batch.c:check_batch_flags).
func (h Header) Apply(o *options.Options) (lines []string, err error) {
	for i, x := range flags()[:proto.BatchFlags(int(h.Version))] {
		on := h.Flags&(1<<i) != 0
		switch {
		case x.get(o) == on:
			continue
		case i == iconvFlag:
			how := "Do not"
			if on {
				how = "Please"
			}
			return nil, proto.Failf(proto.ExitSyntax, "%s specify the --iconv option to use this batch file.", how)
		}
		x.set(o, on)
		how := "Clear"
		if on {
			how = "Sett"
		}
		lines = append(lines, fmt.Sprintf("%sing the %s option to match the batchfile.", how, x.name))
	}
	return lines, nil
}

// Script returns the text of a shell script that makes the changes of a batch
// again, in the place that is its argument or where they were made before
// (batch.c:write_batch_shell_file). program are the words that start this
// program, words those of its command line, args those of them that are not
// options, rules what the filter options came to, zeros --from0.
func Script(program, words, args []string, rules []string, zeros bool) string {
	var b strings.Builder
	for i, w := range program {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quote(w))
	}
	if len(rules) > 0 {
		b.WriteString(" " + quoteOption("--filter=._-"))
	}
	for _, w := range optionWords(words, args) {
		b.WriteString(" " + w)
	}
	dest := ""
	if len(args) > 0 {
		dest = args[len(args)-1]
	}
	fmt.Fprintf(&b, " ${1:-%s}", quote(withoutHost(dest)))
	if len(rules) > 0 {
		end := "\n"
		if zeros {
			end = "\x00"
		}
		b.WriteString(" <<'#E#'\n")
		for _, r := range rules {
			b.WriteString(r + end)
		}
		if zeros {
			b.WriteString(";\n")
		}
		b.WriteString("#E#")
	}
	b.WriteByte('\n')
	return b.String()
}

// optionWords are the quoted options of a command line but for those that choose
// files, which is over. Arguments are found from behind, as they stand there.
func optionWords(words, args []string) []string {
	keep := make([]bool, len(words))
	for i, j := len(words)-1, len(args)-1; i >= 0; i-- {
		if keep[i] = j < 0 || words[i] != args[j]; !keep[i] {
			j--
		}
	}
	var out []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case !keep[i]:
		case w == "-f":
			i++
		case chooses(w):
			if !strings.Contains(w, "=") {
				i++
			}
		case strings.HasPrefix(w, "--write-batch"), strings.HasPrefix(w, "--only-write-batch"):
			_, name, glued := strings.Cut(w, "=")
			if glued {
				out = append(out, quoteOption("--read-batch="+name))
			} else {
				out = append(out, "--read-batch")
			}
		default:
			out = append(out, quoteOption(w))
		}
	}
	return out
}

func chooses(w string) bool {
	for _, p := range []string{"--files-from", "--filter", "--include", "--exclude"} {
		if strings.HasPrefix(w, p) {
			return true
		}
	}
	return false
}

// withoutHost is the path in a destination on another machine.
func withoutHost(dest string) string {
	before, after, ok := strings.Cut(dest, ":")
	if !ok || strings.Contains(before, "/") {
		return dest
	}
	if strings.HasPrefix(after, "//") && strings.EqualFold(before, "rsync") {
		_, after, _ = strings.Cut(after[2:], "/")
		return after
	}
	return strings.TrimPrefix(after, ":")
}

// quoteOption quotes an option, of a long one what is behind the equals sign.
func quoteOption(w string) string {
	if name, value, ok := strings.Cut(w, "="); ok && strings.HasPrefix(w, "-") && isName(name) {
		return name + "=" + quote(value)
	}
	return quote(w)
}

// isName reports whether a word needs no quotes.
func isName(w string) bool {
	return strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

func quote(w string) string { return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'" }
