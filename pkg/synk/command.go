package synk

import (
	"path"
	"strings"
)

// job is one run of rsync: what one host gets from another.
type job struct {
	from, to Snapshot
	// base is the directory that names are below; "" for a single file, whose
	// path is then the only name.
	base  string
	names []string
	// backup keeps what is replaced, "" for nothing; suffix is put behind names
	// there.
	backup, suffix string
	// again copies what looks the same by size and time.
	again bool
}

// fileJob copies one file. A name that a shell or rsync would make something
// else of never becomes part of a command line: it goes through a list.
func fileJob(from, to Snapshot, file string) job {
	j := job{from: from, to: to}
	dir, name := path.Split(path.Clean(file))
	switch {
	case isPlain(file):
		j.names = []string{file}
	case dir == "":
		j.base, j.names = "./", []string{name}
	case isPlain(dir):
		j.base, j.names = dashless(dir), []string{name}
	case path.IsAbs(file):
		j.base, j.names = "/", []string{strings.TrimPrefix(path.Clean(file), "/")}
	default:
		j.base, j.names = "./", []string{path.Clean(file)}
	}
	return j
}

// alike reports whether two copies look the same to rsync, which compares sizes
// and whole seconds.
func alike(a, b Copy) bool { return a.Kind == b.Kind && a.Size == b.Size && a.Mtime.Sec == b.Mtime.Sec }

// merges reports whether one run of rsync can do both jobs.
func (j job) merges(k job) bool {
	return j.base != "" && j.base == k.base && j.from.Host == k.from.Host && j.to.Host == k.to.Host && j.backup == k.backup && j.again == k.again
}

// between reports whether both ends are remote, so that rsync runs on the master.
func (j job) between() bool { return !j.from.local() && !j.to.local() }

// list is the standard input for --files-from, "" for none.
func (j job) list() string {
	if j.base == "" {
		return ""
	}
	return strings.Join(j.names, "\x00") + "\x00"
}

// words are rsync's command line, as from where it runs, without its own name.
func (j job) words(peers map[string]Peer) []string {
	words := []string{"-azEq"}
	place := j.base
	if j.base == "" {
		words = append(words, "--delete")
		place = dashless(j.names[0])
		if !strings.Contains(j.names[0], ":") && !strings.HasPrefix(j.names[0], "-") {
			place = j.names[0]
		}
	} else {
		words = append(words, "--no-implied-dirs", "--from0", "--files-from=-")
	}
	if j.again {
		words = append(words, "--ignore-times")
	}
	if j.backup != "" {
		dir := j.backup
		if j.base == "" {
			dir = path.Join(dir, path.Dir(j.names[0]))
		} else {
			dir = path.Join(dir, j.base)
		}
		words = append(words, "--backup", "--backup-dir="+dir, "--suffix="+j.suffix)
	}
	if port := peers[j.to.Host].Port; j.between() && port != 0 {
		words = append(words, "-e", "ssh -p "+decimalOf(port))
	}
	if far := j.far(); far.Rsync != "" {
		words = append(words, "--rsync-path="+far.Rsync)
	}
	return append(words, j.end(peers, j.from, place), j.end(peers, j.to, place))
}

// far is the host that rsync reaches through a shell.
func (j job) far() Snapshot {
	if j.to.local() {
		return j.from
	}
	return j.to
}

// end is where one end of the copy is, as seen from where rsync runs.
func (j job) end(peers map[string]Peer, s Snapshot, place string) string {
	if s.local() || j.between() && s.Host == j.from.Host {
		return place
	}
	return peers[s.Host].address() + ":" + place
}

// patientSSH asks for nothing and does not wait for ever.
const patientSSH = "ssh -o BatchMode=yes -o ConnectTimeout=" + connectSeconds

// patient has rsync use that, unless something else is set up there.
const patient = `RSYNC_RSH="${RSYNC_RSH:-` + patientSSH + `}"; export RSYNC_RSH; exec "$@"`

// remote is the command line for the master's shell.
func (j job) remote(peers map[string]Peer) string {
	words := append([]string{"sh", "-c", patient, "sh"}, strings.Fields(j.rsync())...)
	for _, w := range j.words(peers) {
		if port, ok := strings.CutPrefix(w, "ssh -p "); ok {
			w = patientSSH + " -p " + port
		}
		words = append(words, w)
	}
	return join(words)
}

// rsync is the command that is rsync on the master, a path without spaces and
// perhaps a verb.
func (j job) rsync() string {
	if j.from.Rsync != "" {
		return j.from.Rsync
	}
	return "rsync"
}

// line is what -v shows.
func (j job) line(peers map[string]Peer) string {
	if !j.between() {
		return "rsync " + join(j.words(peers))
	}
	ssh := "ssh "
	if p := peers[j.from.Host]; p.Port != 0 {
		ssh += "-p " + decimalOf(p.Port) + " "
	}
	return ssh + j.from.Host + " " + j.rsync() + " " + join(j.words(peers))
}
