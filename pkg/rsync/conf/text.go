package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// Text writes the configuration as an rsyncd.conf: the global part, then each
// module with all of its parameters that are not at rsync's default, whether
// they stand with it or come from the global part. Reading it gives the same
// modules again.
func (c *Config) Text() string {
	var b strings.Builder
	global := c.Global
	for _, p := range globalParams() {
		writeParam(&b, "", p, &global, nil)
	}
	if c.Global.LogFile != "" {
		fmt.Fprintf(&b, "log file = %s\n", c.Global.LogFile)
	}
	for i := range c.Modules {
		m := c.Modules[i]
		fmt.Fprintf(&b, "\n[%s]\n", m.Name)
		for _, p := range moduleParams() {
			if p.Name == "log file" && m.LogFile == c.Global.LogFile {
				continue
			}
			writeParam(&b, "\t", p, nil, &m)
		}
	}
	return b.String()
}

func writeParam(b *strings.Builder, indent string, p Param, g *Global, m *Module) {
	if !p.Supported() {
		return
	}
	value := ""
	switch f := p.field(g, m).(type) {
	case *string:
		value = *f
	case *[]string:
		value = strings.Join(*f, " ")
	case *bool:
		value = map[bool]string{true: "yes", false: "no"}[*f]
	case *Tri:
		value = f.String()
	case *int:
		value = strconv.Itoa(*f)
	case *int64:
		value = rateText(*f)
	}
	if value == p.Default {
		return
	}
	if p.Kind == KindPath && strings.TrimRight(value, space) != value {
		value += "/" // or the spaces at its end would be lost
	}
	fmt.Fprintf(b, "%s%s = %s\n", indent, p.Name, value)
}
