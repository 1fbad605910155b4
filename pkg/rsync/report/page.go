package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/status"
)

// Page shows a book.
type Page struct {
	Book *Book
	// Config gives the configuration that is in force.
	Config func() *conf.Config
	// Title names the daemon.
	Title string
}

// refresh is after how many seconds a browser asks again.
const refresh = 5

// HTML is the page.
func (p *Page) HTML() []byte {
	s, cfg := p.Book.summary(), p.Config()
	b := status.AppendHead(nil, p.Title, fmt.Sprintf("rsync daemon with %d modules, counting since %s", len(cfg.Modules), s.since.Format("2 January 2006, 15:04")), refresh)
	b = status.AppendFigures(b, "Transfers now", fmt.Sprint(s.busy), "Waiting", fmt.Sprint(s.waiting), "Sending", speed(s.rate.out), "Receiving", speed(s.rate.in),
		"Sent", status.Bytes(s.total.out), "Received", status.Bytes(s.total.in), "Clients so far", fmt.Sprint(s.came), "Turned away", fmt.Sprint(s.refused))
	b = status.AppendTitle(b, "The last ten minutes")
	plot := status.Plot{
		Title: "bytes per second, sent and received", Start: s.start, Step: step,
		Series: []status.Series{{Name: "sent", Values: s.out}, {Name: "received", Values: s.in}},
		Label:  func(v float64) string { return speed(int64(v)) },
	}
	b = plot.AppendSVG(b)
	b = p.appendVisits(b, s)
	b = appendModules(b, s, cfg)
	b = p.appendErrors(b, s)
	return p.appendDone(b, s)
}

func speed(bytes int64) string { return status.Bytes(bytes) + "/s" }

// client is who comes, for people.
func client(v daemon.Visit) string {
	text := v.Address
	if v.Host != "" && v.Host != "UNDETERMINED" && v.Host != "UNKNOWN" && v.Host != text {
		text = v.Host + " (" + text + ")"
	}
	if v.User != "" {
		text = v.User + "@" + text
	}
	return text
}

func (p *Page) appendVisits(b []byte, s summary) []byte {
	const most = 100
	now := p.Book.now()
	slices.SortStableFunc(s.visits, func(a, b visit) int { return cmp.Compare(rank(a.Doing), rank(b.Doing)) })
	var rows [][]status.Cell
	for _, v := range s.visits[:min(len(s.visits), most)] {
		what := string(v.Doing)
		if v.Request != "" {
			what += " " + v.Request
		} else if v.Module != "" {
			what += " in " + v.Module
		}
		rows = append(rows, []status.Cell{
			{Text: client(v.Visit)}, {Text: what}, {Text: status.Bytes(v.moved.in + v.moved.out)}, {Text: speed(v.rate.in + v.rate.out)}, {Text: status.Span(now.Sub(v.Since))},
		})
	}
	b = status.AppendTitle(b, "Connected now")
	b = status.AppendTable(b, []status.Column{{Name: "Client"}, {Name: "Does"}, {Name: "Moved", Number: true}, {Name: "Speed", Number: true}, {Name: "For", Number: true}}, rows, "Nobody.")
	if n := len(s.visits) - most; n > 0 {
		b = status.AppendTable(b, nil, nil, fmt.Sprintf("%d more are not shown.", n))
	}
	return b
}

// rank puts those first who move something.
func rank(d daemon.Doing) int {
	switch d {
	case daemon.Receiving, daemon.Sending:
		return 0
	case daemon.Waiting:
		return 1
	}
	return 2
}

func appendModules(b []byte, s summary, cfg *conf.Config) []byte {
	var rows [][]status.Cell
	for i := range cfg.Modules {
		m := &cfg.Modules[i]
		t, d := s.modules[m.Name], s.disks[place(m)]
		free := status.Cell{Text: "–"}
		switch {
		case d.err != nil:
			free.Text = d.err.Error()
		case d.size > 0:
			free = status.Cell{Text: status.Bytes(d.free) + " free", Have: d.size - d.free, Of: d.size}
		}
		busy := now(s, m)
		rows = append(rows, []status.Cell{
			{Text: strings.TrimSpace(m.Name + " " + m.Comment)}, {Text: access(m)}, {Text: busy}, {Text: fmt.Sprint(t.transfers)}, {Text: fmt.Sprint(t.failed)},
			{Text: status.Bytes(t.out)}, {Text: status.Bytes(t.in)}, free,
		})
	}
	b = status.AppendTitle(b, "Modules")
	return status.AppendTable(b, []status.Column{
		{Name: "Module"}, {Name: "Access"}, {Name: "Now", Number: true}, {Name: "Done", Number: true}, {Name: "Failed", Number: true},
		{Name: "Sent", Number: true}, {Name: "Received", Number: true}, {Name: "Disk"},
	}, rows, "There are none.")
}

// now is how many use a module, or wait for it.
func now(s summary, m *conf.Module) string {
	busy, waiting := 0, 0
	for _, v := range s.visits {
		switch {
		case v.Module != m.Name:
		case v.Doing == daemon.Waiting:
			waiting++
		default:
			busy++
		}
	}
	text := fmt.Sprint(busy)
	if m.MaxConnections > 0 {
		text += fmt.Sprint(" of ", m.MaxConnections)
	}
	switch {
	case waiting == 1:
		text += ", 1 waits"
	case waiting > 1:
		text += fmt.Sprintf(", %d wait", waiting)
	}
	return text
}

// access is what may be done with a module.
func access(m *conf.Module) string {
	text := "read only"
	switch {
	case m.MaxConnections < 0:
		return "closed"
	case !m.ReadOnly && m.WriteOnly:
		text = "write only"
	case !m.ReadOnly:
		text = "read and write"
	}
	if m.AuthUsers != "" {
		text += ", by password"
	}
	return text
}

func (p *Page) appendErrors(b []byte, s summary) []byte {
	now := p.Book.now()
	var rows [][]status.Cell
	for _, e := range s.errors {
		rows = append(rows, []status.Cell{{Text: status.Span(now.Sub(e.at)) + " ago"}, {Text: e.text}})
	}
	b = status.AppendTitle(b, "Last errors and warnings")
	return status.AppendTable(b, []status.Column{{Name: "When"}, {Name: "What"}}, rows, "None.")
}

func (p *Page) appendDone(b []byte, s summary) []byte {
	now := p.Book.now()
	var rows [][]status.Cell
	for _, d := range s.done {
		how := "well"
		if d.exit != 0 {
			how = fmt.Sprint("code ", d.exit)
		}
		rows = append(rows, []status.Cell{
			{Text: status.Span(now.Sub(d.Since.Add(d.took))) + " ago"}, {Text: client(d.Visit)}, {Text: string(d.Doing) + " " + d.Request}, {Text: status.Bytes(d.in + d.out)}, {Text: status.Span(d.took)}, {Text: how},
		})
	}
	b = status.AppendTitle(b, "Last transfers")
	return status.AppendTable(b, []status.Column{{Name: "Ended"}, {Name: "Client"}, {Name: "Did"}, {Name: "Moved", Number: true}, {Name: "Took", Number: true}, {Name: "How"}}, rows, "None yet.")
}
