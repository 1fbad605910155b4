package backup

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// Schedule gives the text of a systemd service and timer, and a line for
// /etc/cron.d, that run a command each day at a time of day (HH:MM). The last two
// words are the source and the backup's folder.
func Schedule(words []string, at string) (string, error) {
	t, err := time.Parse("15:04", at)
	if err != nil {
		return "", fmt.Errorf("--at: %q is no time of day such as 03:00", at)
	}
	for _, w := range words {
		if strings.ContainsFunc(w, unicode.IsControl) {
			return "", fmt.Errorf("%q has a control character in it, which neither systemd nor cron can be told", w)
		}
	}
	source, dest := words[len(words)-2], words[len(words)-1]
	if !filepath.IsAbs(dest) {
		return "", fmt.Errorf("%s: name the backup's folder by its whole path: a schedule starts elsewhere", dest)
	}
	name := "backup-" + unitName(filepath.Base(dest))
	var b strings.Builder
	fmt.Fprintf(&b, "# /etc/systemd/system/%s.service\n[Unit]\nDescription=Backup of %s to %s\nWants=network-online.target\nAfter=network-online.target\n"+
		"RequiresMountsFor=%s\n\n", name, specifiers(source), specifiers(dest), systemdWord(dest))
	fmt.Fprintf(&b, "[Service]\nType=oneshot\nExecStart=%s\nNice=10\nIOSchedulingClass=idle\n\n", systemdLine(words))
	fmt.Fprintf(&b, "# /etc/systemd/system/%s.timer\n[Unit]\nDescription=Each night: backup of %s\n\n", name, specifiers(source))
	fmt.Fprintf(&b, "[Timer]\nOnCalendar=*-*-* %s:00\nRandomizedDelaySec=10min\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n\n", t.Format("15:04"))
	fmt.Fprintf(&b, "# then: systemctl daemon-reload && systemctl enable --now %s.timer\n\n", name)
	fmt.Fprintf(&b, "# or without systemd, in /etc/cron.d/%s:\n%d %d * * * root %s\n", name, t.Minute(), t.Hour(), cronLine(words))
	return b.String(), nil
}

// unitName keeps of a folder's name what a unit's may have.
func unitName(base string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_", r)) {
			return r
		}
		return '-'
	}, base)
}

// specifiers keeps systemd from reading % as something of its own.
func specifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// systemdWord quotes a word as systemd.syntax(7) has it.
func systemdWord(w string) string {
	w = specifiers(w)
	if w != "" && !strings.ContainsAny(w, " \t'\"\\;") {
		return w
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
}

// systemdLine is a command line as systemd.service(5) has it, in which a dollar
// sign begins a variable.
func systemdLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ReplaceAll(systemdWord(w), "$", "$$")
	}
	return strings.Join(out, " ")
}

// cronLine is a command line for /bin/sh in a crontab, in which a percent sign
// ends the command (crontab(5)).
func cronLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsFunc(w, func(r rune) bool {
			return !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./=:,@+", r))
		}) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		out[i] = strings.ReplaceAll(w, "%", `\%`)
	}
	return strings.Join(out, " ")
}
