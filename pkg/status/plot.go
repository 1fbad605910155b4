package status

import (
	"fmt"
	"math"
	"time"
)

// Plot is values over time, drawn as areas one behind the other.
type Plot struct {
	Title  string
	Start  time.Time
	Step   time.Duration
	Series []Series
	// Label writes a value at the axis.
	Label func(float64) string
	// Most is the top of the axis; 0: the largest value.
	Most float64
}

// Series is one line of a plot. NaN values are gaps.
type Series struct {
	Name   string
	Values []float64
}

// The plot's measures.
const (
	plotWidth, plotHeight      = 720, 180
	plotLeft, plotTop, plotBot = 74, 14, 24
	plotRight                  = 714 // a dot at the end shows whole
)

// AppendSVG draws the plot. The colours are the page's: classes s0, s1 ...
func (p *Plot) AppendSVG(b []byte) []byte {
	most, n := p.Most, 0
	for _, s := range p.Series {
		n = max(n, len(s.Values))
		for _, v := range s.Values {
			if p.Most == 0 && v > most && !math.IsInf(v, 0) {
				most = v
			}
		}
	}
	if most <= 0 {
		most = 1
	}
	b = fmt.Appendf(b, `<svg class=plot viewBox="0 0 %d %d" role=img aria-label="%s">`, plotWidth, plotHeight, escape(p.Title))
	const bottom = plotHeight - plotBot
	for i := range 3 {
		v := most * float64(2-i) / 2
		y := plotTop + (bottom-plotTop)*i/2
		b = fmt.Appendf(b, `<line class=grid x1=%d x2=%d y1=%d y2=%d /><text x=%d y=%d text-anchor=end>%s</text>`,
			plotLeft, plotWidth, y, y, plotLeft-6, y+4, escape(p.Label(v)))
	}
	x := func(i int) float64 { return plotLeft + float64(i)*(plotRight-plotLeft)/float64(max(n-1, 1)) }
	y := func(v float64) float64 { return bottom - (bottom-plotTop)*min(max(v/most, 0), 1) }
	for i, s := range p.Series {
		b = appendSeries(b, i, s.Values, x, y, bottom)
	}
	const marks = 5
	for i := 0; i < marks && n > 1; i++ {
		at := i * (n - 1) / (marks - 1)
		anchor := "middle"
		if i == 0 {
			anchor = "start"
		} else if i == marks-1 {
			anchor = "end"
		}
		b = fmt.Appendf(b, `<text x="%.1f" y=%d text-anchor=%s>%s</text>`, x(at), plotHeight-6, anchor, p.Start.Add(time.Duration(at)*p.Step).Format("15:04"))
	}
	b = append(b, "</svg><p class=key>"...)
	for i, s := range p.Series {
		b = fmt.Appendf(b, `<span class=s%d>&#9632;</span> %s `, i, escape(s.Name))
	}
	return append(b, "</p>\n"...)
}

// appendSeries draws an area for each run of values without a gap; a value
// alone becomes a dot.
func appendSeries(b []byte, class int, values []float64, x func(int) float64, y func(float64) float64, bottom int) []byte {
	for i := 0; i < len(values); i++ {
		if math.IsNaN(values[i]) {
			continue
		}
		end := i
		for end+1 < len(values) && !math.IsNaN(values[end+1]) {
			end++
		}
		if end == i {
			b = fmt.Appendf(b, `<circle class=s%d cx="%.1f" cy="%.1f" r=2.5 />`, class, x(i), y(values[i]))
			continue
		}
		b = fmt.Appendf(b, `<path class="area s%d" d="M%.1f %d`, class, x(i), bottom)
		for j := i; j <= end; j++ {
			b = fmt.Appendf(b, "L%.1f %.1f", x(j), y(values[j]))
		}
		b = fmt.Appendf(b, `L%.1f %dZ"/>`, x(end), bottom)
		i = end
	}
	return b
}
