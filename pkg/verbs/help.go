package verbs

import (
	"fmt"
	"io"
	"strings"
)

// width is how wide the help is, in columns: what a serial console has.
const width = 80

// Explain writes the help of a verb: how to call it, what it is, and its parts.
// A target with a method Help() string has more to say.
func (v *Verb) Explain(w io.Writer, program, about string) {
	fmt.Fprintf(w, "Usage: %s%s\n\n", v.Path(program), v.usage())
	if v.Help != "" {
		about = v.Help
	}
	fmt.Fprintln(w, strings.Join(wrap(about, width), "\n"))
	if more, ok := v.Target().(interface{ Help() string }); ok {
		fmt.Fprintf(w, "\n%s\n", strings.TrimRight(more.Help(), "\n"))
	}
	var rows [][2]string
	for _, a := range v.Args {
		rows = append(rows, [2]string{"  " + a.place(), a.Help})
	}
	table(w, "Arguments", rows)
	rows = [][2]string{{"  -h, --help", "Show this help."}}
	for at := v; at != nil; at = at.Parent {
		for _, f := range at.Flags {
			if !f.Hidden {
				rows = append(rows, [2]string{"  " + f.usage(), f.Help})
			}
		}
	}
	table(w, "Flags", rows)
	rows = nil
	for _, sub := range v.Verbs {
		if !sub.Hidden {
			rows = append(rows, [2]string{"  " + sub.Name, sub.Help})
		}
	}
	table(w, "Commands", rows)
}

func (v *Verb) usage() string {
	s := ""
	for _, a := range v.Args {
		s += " " + a.place()
	}
	if len(v.Flags) > 0 {
		s += " [flags]"
	}
	if len(v.Verbs) > 0 {
		s += " <command>"
	}
	return s
}

// place is an argument in the usage.
func (f *Field) place() string {
	s := "<" + f.Name + ">"
	if _, list := f.value.Interface().([]string); list {
		s += " ..."
	}
	if f.Optional {
		s = "[" + s + "]"
	}
	return s
}

// usage is a flag in the help.
func (f *Field) usage() string {
	s := "    "
	if f.Short != "" {
		s = "-" + f.Short + ", "
	}
	s += "--"
	if f.Negatable {
		s += "[no-]"
	}
	s += f.Name
	if f.isBool() || f.Counter {
		return s
	}
	value := f.Placeholder
	if value == "" {
		value = strings.ToUpper(f.Name)
	}
	return s + "=" + value
}

// table writes two columns: the first as wide as it needs to be, in reason.
func table(w io.Writer, title string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	left := 0
	for _, r := range rows {
		if n := len(r[0]) + 2; n <= 30 {
			left = max(left, n)
		}
	}
	for _, r := range rows {
		line := r[0]
		for i, text := range wrap(r[1], width-left) {
			if i > 0 || len(line)+2 > left {
				fmt.Fprintln(w, strings.TrimRight(line, " "))
				line = ""
				if i == 0 && text == "" {
					break
				}
			}
			line = fmt.Sprintf("%-*s%s", left, line, text)
		}
		if line != "" {
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	}
}

// wrap breaks a text at spaces into lines of at most n bytes, if it can.
func wrap(text string, n int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) > n:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return lines
}
