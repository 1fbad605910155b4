package status

import (
	"fmt"
	"html"
)

// Policy is the Content-Security-Policy of a page: no script, nothing from
// elsewhere, no form, no frame around it.
const Policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

const style = `:root{color-scheme:light dark;--line:#8884;--a:#2a7de1;--b:#e08a1e}
body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:1.5em auto;padding:0 1em}
h1{font-size:1.5em;margin:0 0 .2em}h2{font-size:1.1em;margin:1.6em 0 .4em}
p.sub,p.key{opacity:.75;margin:.2em 0}
dl{display:flex;flex-wrap:wrap;gap:.6em;margin:1em 0}dl div{border:1px solid var(--line);border-radius:8px;padding:.5em .9em;min-width:7em}
dt{font-size:.8em;opacity:.75}dd{margin:0;font-size:1.3em}
table{border-collapse:collapse;width:100%;font-size:.92em}th,td{text-align:left;padding:.25em .6em .25em 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td:not(.n){min-width:5.5em}@media(max-width:45em){table{display:block;overflow-x:auto}}
progress{width:9em;accent-color:var(--a)}
svg.plot{width:100%;height:auto}svg text{font-size:11px;fill:currentColor;opacity:.75}.grid{stroke:var(--line)}
.s0{color:var(--a)}.s1{color:var(--b)}.area{fill:currentColor;fill-opacity:.3;stroke:currentColor;stroke-width:1.5}circle{fill:currentColor}`

func escape(s string) string { return html.EscapeString(s) }

// AppendHead begins a page. refresh is after how many seconds a browser loads it
// again, 0 for never.
func AppendHead(b []byte, title, sub string, refresh int) []byte {
	b = append(b, "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">"...)
	if refresh > 0 {
		b = fmt.Appendf(b, "<meta http-equiv=refresh content=%d>", refresh)
	}
	return fmt.Appendf(b, "<title>%s</title><style>%s</style>\n<h1>%[1]s</h1>\n<p class=sub>%[3]s</p>\n", escape(title), style, escape(sub))
}

// AppendFigures writes what matters most: name, value, name, value ...
func AppendFigures(b []byte, pairs ...string) []byte {
	b = append(b, "<dl>"...)
	for i := 0; i+1 < len(pairs); i += 2 {
		b = fmt.Appendf(b, "<div><dt>%s</dt><dd>%s</dd></div>", escape(pairs[i]), escape(pairs[i+1]))
	}
	return append(b, "</dl>\n"...)
}

// AppendTitle begins a section.
func AppendTitle(b []byte, title string) []byte {
	return fmt.Appendf(b, "<h2>%s</h2>\n", escape(title))
}

// Column is one of a table.
type Column struct {
	Name   string
	Number bool // set to the right
}

// Cell is one of a table: a text, or how much of something there is.
type Cell struct {
	Text     string
	Have, Of int64 // drawn before the text if Of is above 0
}

// AppendTable writes a table; without rows, what none says.
func AppendTable(b []byte, columns []Column, rows [][]Cell, none string) []byte {
	if len(rows) == 0 {
		return fmt.Appendf(b, "<p class=sub>%s</p>\n", escape(none))
	}
	class := func(i int) string {
		if i < len(columns) && columns[i].Number {
			return " class=n"
		}
		return ""
	}
	b = append(b, "<table><tr>"...)
	for i, c := range columns {
		b = fmt.Appendf(b, "<th%s>%s", class(i), escape(c.Name))
	}
	for _, r := range rows {
		b = append(b, "\n<tr>"...)
		for i, c := range r {
			b = fmt.Appendf(b, "<td%s>", class(i))
			if c.Of > 0 {
				b = fmt.Appendf(b, "<progress value=%d max=%d></progress> ", c.Have, c.Of)
			}
			b = append(b, escape(c.Text)...)
		}
	}
	return append(b, "\n</table>\n"...)
}
