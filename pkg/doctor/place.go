package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/client"
)

// place is a folder that a key gives, or a module of a daemon behind it.
type place struct {
	client.Remote
	shown string // as a user writes it
	label string // begins what is said of it where there are several
}

// at is a place below the key's forced command; "" is the key's own folder.
func (v *visit) at(dir string) place {
	p := place{Remote: v.Host, shown: v.report.Host + ":" + dir}
	switch p.Path = dir; {
	case dir == "":
		p.Path = "."
	case !strings.HasSuffix(dir, "/"):
		p.Path += "/" // what is in it, not what it is called
	}
	return p
}

// module is a place of a daemon: MODULE or MODULE/PATH.
func (v *visit) module(name string) place {
	p := place{Remote: v.Host, shown: v.report.Host + "::" + name}
	p.Shell = false
	p.Module, p.Path, _ = strings.Cut(strings.TrimSuffix(name, "/"), "/")
	return p
}

// in is a name in the place.
func (p place) in(name string) client.Remote {
	r := p.Remote
	if r.Path = strings.TrimSuffix(r.Path, "/"); r.Path != "" {
		r.Path += "/"
	}
	r.Path += name
	return r
}

// keyNames finds the names of a key's folders in what its refusal says.
var keyNames = regexp.MustCompile(`one of the key's directories: ([A-Za-z0-9._-]+(?:, [A-Za-z0-9._-]+)*)`)

// mostPlaces bounds how many folders or modules are tried.
const mostPlaces = 16

// named gives the places that a refusal names, nil if it names none.
func (v *visit) named(a attempt) (places []place) {
	if a.err == nil {
		return nil
	}
	found := keyNames.FindStringSubmatch(a.heard.text.String() + a.err.Error())
	if found == nil {
		return nil
	}
	for _, name := range strings.Split(found[1], ", ") {
		p := v.at(name + "/")
		p.label = name + "/: "
		places = append(places, p)
	}
	return places[:min(len(places), mostPlaces)]
}

// restricted looks at a key whose command= lets only rsync through: what it may do
// with the folders it is for, and whether a file goes there and comes back.
func (v *visit) restricted(ctx context.Context, a client.Answer) error {
	if said := strings.TrimPrefix(client.Explain(a).Says, "the key's forced command has refused: "); len(a.Err)+len(a.Out) > 0 {
		v.add("forced", OK, "", "the key lets only rsync through: it refuses others, as it should (%s)", said)
	} else {
		v.add("forced", OK, "", "the key lets only rsync through")
	}
	p := v.at(v.Host.Path)
	reads := v.list(ctx, p)
	places := []place{p}
	if v.Host.Path == "" {
		if several := v.named(reads); several != nil {
			places = several
			v.add("folders", OK, "", "the key has folders with names: %s", strings.Join(shown(places), " "))
		}
	}
	return v.each(ctx, places, "name what it allows in the paths of the backup; or change command= in ~/.ssh/authorized_keys there")
}

func shown(places []place) (all []string) {
	for _, p := range places {
		all = append(all, p.shown)
	}
	return all
}

// each looks at all places. fix is what to change where none may be used.
func (v *visit) each(ctx context.Context, places []place, fix string) error {
	here, err := os.MkdirTemp(v.Temp, "doctor")
	if err != nil {
		return err
	}
	defer os.RemoveAll(here)
	before, usable := len(v.report.Checks), false
	for _, p := range places {
		if err := v.visitPlace(ctx, p, here, fix); err != nil {
			return err
		}
	}
	for _, c := range v.report.Checks[before:] {
		usable = usable || c.Name == "rights" && c.State == OK
	}
	for i := range v.report.Checks[before:] {
		// One of many modules may want a password, or be for others.
		if c := &v.report.Checks[before+i]; usable && len(places) > 1 && !places[0].Shell && c.State == Failed && c.Name != "round trip" {
			c.State = Warning
		}
	}
	return nil
}

// visitPlace finds out what a place lets us do, first without writing anything.
func (v *visit) visitPlace(ctx context.Context, p place, here, fix string) error {
	t := trial{visit: v, place: p, name: ".empegsync-" + filepath.Base(here)}
	t.full, t.empty, t.back = filepath.Join(here, "full"), filepath.Join(here, "empty"), filepath.Join(here, "back")
	for _, dir := range []string{filepath.Join(t.full, t.name), t.empty, t.back} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	file := filepath.Join(t.full, t.name, "probe")
	if err := os.WriteFile(file, probe(), 0o600); err != nil {
		return err
	}
	reads, writes := v.list(ctx, p), v.push(ctx, file, p.Remote, "-n", "-i")
	agreed := reads.agreed
	switch {
	case p.Path != "." && (reads.well() && reads.err != nil || strings.Contains(writes.heard.text.String(), "created directory")):
		v.speak(cmp.Or(agreed, writes.agreed))
		v.failed("rights", reads.err, reads.heard, "name a folder that is there")
	case reads.well() && writes.well():
		t.may(agreed, "it may read and write there")
		return t.there(ctx, true)
	case reads.well():
		t.may(agreed, "it may read there, and not write")
		v.add("round trip", OK, "", "%sthe half of it that the key allows: a list came from there; nothing may be written, so no file was sent", p.label)
	case writes.well():
		t.may(writes.agreed, "it may write there, and not read")
		return t.there(ctx, false)
	case agreed == nil:
		v.failed("protocol", reads.err, reads.heard, "")
	default:
		v.speak(agreed)
		v.failed("rights", reads.err, reads.heard, fix)
	}
	return nil
}

// trial is a file on its way to a place and back.
type trial struct {
	*visit
	place
	name              string // of the folder there that the file is in
	full, empty, back string // folders here: with it, with nothing, for what comes back
}

// there sends the file, fetches it back if the key lets us, and takes it away
// again. Where it could not be taken away it is not sent, unless that is wished.
func (t *trial) there(ctx context.Context, back bool) error {
	gone, probed := t.remove(ctx, "-n")
	if probed.err != nil && !t.Leave {
		t.add("round trip", Skipped, "", "%sno file was sent: the key would not let us remove it again (%s); --leave sends one, which stays", t.label, t.reason(probed))
		return nil
	}
	if len(gone) > 0 {
		return fmt.Errorf("%s is there already", t.in(t.name).Path)
	}
	went := t.push(ctx, t.full+"/", t.Remote, "-r")
	if went.err == nil && back {
		went = t.fetch(ctx)
	}
	left := ""
	if probed.err == nil {
		if gone, removed := t.remove(ctx); removed.err != nil || len(gone) == 0 && went.err == nil {
			left = "; remove " + t.name + " there by hand: that has failed"
		}
	} else {
		left = "; " + t.name + " stays there, as --leave says"
	}
	switch {
	case went.err != nil:
		t.failed("round trip", went.err, went.heard, "")
	case strings.Contains(left, "by hand"):
		t.add("round trip", Warning, "remove "+t.shown+" "+t.name, "%sa file went there%s", t.label, left)
	case back && left == "":
		t.add("round trip", OK, "", "%sa file went there, came back the same, and was removed again", t.label)
	case back:
		t.add("round trip", OK, "", "%sa file went there and came back the same%s", t.label, left)
	case left == "":
		t.add("round trip", OK, "", "%sthe half of it that the key allows: a file went there and was removed again; it may not be read back", t.label)
	default:
		t.add("round trip", OK, "", "%sthe half of it that the key allows: a file went there; it may not be read back%s", t.label, left)
	}
	return nil
}

// fetch brings the file back.
func (t *trial) fetch(ctx context.Context) attempt {
	to := filepath.Join(t.back, "probe")
	got := t.pull(ctx, t.in(t.name+"/probe"), to)
	if got.err != nil {
		return got
	}
	text, err := os.ReadFile(to)
	if err == nil && string(text) != string(probe()) {
		err = errors.New("the file that came back is another one")
	}
	return attempt{err: err, heard: got.heard}
}

// remove takes the trial's folder away, and nothing else: an empty folder is sent,
// and all other names are excluded, which protects them. It is looked at in a dry
// run before what that would remove. It gives what was removed.
func (t *trial) remove(ctx context.Context, words ...string) ([]string, attempt) {
	words = append([]string{"-r", "-i", "--delete", "--max-delete=2", "--include=/" + t.name + "/", "--include=/" + t.name + "/probe", "--exclude=*"}, words...)
	all := [][]string{append(slices.Clone(words), "-n"), words}
	if slices.Contains(words, "-n") {
		all = all[1:]
	}
	var a attempt
	for _, words := range all {
		a = t.push(ctx, t.empty+"/", t.Remote, words...)
		for _, name := range a.heard.deleted {
			if name = strings.Trim(name, "/"); name != t.name && name != t.name+"/probe" && a.err == nil {
				a.err = fmt.Errorf("more than our own would be removed: %q", name)
			}
		}
		if a.err != nil {
			return nil, a
		}
	}
	return a.heard.deleted, a
}

// may says what the key allows in the place.
func (t *trial) may(agreed agreement, what string) {
	t.speak(agreed)
	t.add("rights", OK, "", "%s%s; paths begin there: %s", t.label, what, t.shown)
}

// reason is why an attempt has failed, in a line.
func (t *trial) reason(a attempt) string {
	if said := strings.TrimSpace(a.heard.text.String()); said != "" {
		return strings.ReplaceAll(said, "\n", "; ")
	}
	lines := strings.Split(a.err.Error(), "\n")
	if len(lines) > 2 { // as the table has it: what, why, what to change
		lines = lines[1 : len(lines)-1]
	}
	return lines[0]
}
