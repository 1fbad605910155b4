package status

import (
	"strconv"
	"strings"
)

// ContentType is that of Prometheus' text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind is what a metric is.
type Kind string

// The kinds.
const (
	Counter Kind = "counter"
	Gauge   Kind = "gauge"
)

// Metric is one metric with its samples.
type Metric struct {
	Name    string // as [a-z_]+, with its unit at the end
	Help    string
	Kind    Kind
	Samples []Sample
}

// Sample is one value.
type Sample struct {
	Labels []string // name, value, name, value ...
	Value  float64
}

// One is a metric of one value without labels.
func One(name, help string, kind Kind, v float64) Metric {
	return Metric{name, help, kind, []Sample{{Value: v}}}
}

// AppendMetrics writes metrics in Prometheus' text format.
func AppendMetrics(b []byte, all ...Metric) []byte {
	help := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	label := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	for _, m := range all {
		b = append(b, "# HELP "+m.Name+" "+help.Replace(m.Help)+"\n# TYPE "+m.Name+" "+string(m.Kind)+"\n"...)
		for _, s := range m.Samples {
			b = append(b, m.Name...)
			for i := 0; i+1 < len(s.Labels); i += 2 {
				b = append(b, "{,"[min(i, 1)])
				b = append(b, s.Labels[i]+`="`+label.Replace(strings.ToValidUTF8(s.Labels[i+1], "�"))+`"`...)
			}
			if len(s.Labels) > 1 {
				b = append(b, '}')
			}
			b = append(b, ' ')
			b = strconv.AppendFloat(b, s.Value, 'g', -1, 64)
			b = append(b, '\n')
		}
	}
	return b
}
