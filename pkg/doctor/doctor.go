package doctor

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// State is how a check went.
type State string

// The states. What is a warning keeps no backup from working.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
	Skipped State = "skipped"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Says  string `json:"says"`          // what was found, or is wrong
	Fix   string `json:"fix,omitempty"` // what to change and where; "" if nothing is wrong
}

// Report is what the doctor has found.
type Report struct {
	Host   string  `json:"host"`
	OK     bool    `json:"ok"` // a backup would work
	Checks []Check `json:"checks"`
}

// Job is one visit. Its fields are set before [Job.Run].
type Job struct {
	Host    client.Remote    // User and Host; Path where one folder is to be tried
	Module  string           // what to try of a daemon, MODULE or MODULE/PATH; "": all that it lists
	Leave   bool             // send a file even where it cannot be removed again
	Options *options.Options // of which Shell, RsyncPath, Protocol and Family count
	Shell   client.Shell     // its Stderr is not used
	Timeout time.Duration    // of each check
	Now     func() time.Time
	Temp    string // a folder of this machine for the round trip
}

// visit is a Job at work.
type visit struct {
	*Job
	report Report
}

// Run goes through all checks. The error is about this side alone.
func (j *Job) Run(ctx context.Context) (Report, error) {
	v := &visit{Job: j, report: Report{Host: j.Host.Host}}
	v.Host.Shell, v.Host.Module = true, ""
	if j.Host.User != "" {
		v.report.Host = j.Host.User + "@" + j.Host.Host
	}
	err := v.all(ctx)
	v.report.OK = true
	for _, c := range v.report.Checks {
		v.report.OK = v.report.OK && c.State != Failed
	}
	return v.report, err
}

func (v *visit) add(name string, s State, fix, format string, args ...any) {
	v.report.Checks = append(v.report.Checks, Check{name, s, fmt.Sprintf(format, args...), fix})
}

// explained adds a failed check.
func (v *visit) explained(name string, e client.Explanation) {
	v.add(name, Failed, e.Fix, "%s", e.Says)
}

func (v *visit) all(ctx context.Context) error {
	a, err := v.ask(ctx, nil, "true")
	if err != nil {
		return err
	}
	e := client.Explain(a)
	switch {
	case a.Status != 0 && len(a.Out) == 0 && e.Cause != client.CauseRestricted:
		v.explained("login", e)
		return nil
	case e.Cause == client.CauseNoLogin:
		v.explained("login", e)
		return nil
	}
	v.add("login", OK, "", "the host lets us in without a question")
	switch {
	case e.Cause == client.CauseDaemon:
		return v.daemon(ctx)
	case e.Cause == client.CauseRestricted:
		return v.restricted(ctx, a)
	case isVersion(a.Out):
		v.add("forced", Failed, "let it look at what is asked for: command=\"empegsync rrsync -ro DIR\" (or Debian's rrsync) in ~/.ssh/authorized_keys there",
			"the key's forced command is one fixed rsync: it serves the very options and path that stand there, whatever a client asks for")
		return nil
	}
	if len(a.Out) == 0 {
		// rrsync lets "true" through, and nothing else; a daemon may wait until a
		// client has said something.
		if a, err = v.ask(ctx, []byte("\n"), "tty"); err != nil {
			return err
		}
		switch e := client.Explain(a); {
		case e.Cause == client.CauseDaemon:
			return v.daemon(ctx)
		case e.Cause == client.CauseRestricted:
			return v.restricted(ctx, a)
		case strings.HasPrefix(strings.TrimSpace(string(a.Out)), "/dev/"):
			v.explained("shell", client.Explain(client.Answer{Out: append(a.Out, "\r\n"...)}))
			return nil
		}
		a.Out = nil
	}
	clean, err := v.clean(ctx, a)
	if err != nil || !clean {
		return err
	}
	if found, err := v.rsync(ctx); err != nil || !found {
		return err
	}
	if err := v.clock(ctx); err != nil {
		return err
	}
	if v.protocol(ctx) {
		return v.roundTrip(ctx)
	}
	return nil
}

// isVersion reports whether an answer is how an rsync begins that is made to talk.
func isVersion(out []byte) bool {
	return len(out) >= 4 && proto.IsVersion(binary.LittleEndian.Uint32(out))
}

// Text writes a report for people, a line a check and one below it for what to
// change.
func (r Report) Text(w io.Writer) {
	for _, c := range r.Checks {
		fmt.Fprintf(w, "%-8s %-10s %s\n", c.State, c.Name, logformat.Escape(c.Says))
		if c.Fix != "" {
			fmt.Fprintf(w, "%19s -> %s\n", "", logformat.Escape(c.Fix))
		}
	}
	if r.OK {
		fmt.Fprintf(w, "%s: a backup would work\n", r.Host)
	}
}

// program is what is run for rsync there.
func (v *visit) program() string {
	if v.Options.RsyncPath == "" {
		return "rsync"
	}
	return v.Options.RsyncPath
}

// isSSH reports a remote shell whose options are known.
func isSSH(words []string) bool { return path.Base(words[0]) == "ssh" }
