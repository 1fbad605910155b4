package report

import (
	"maps"
	"slices"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/status"
)

// Metrics is the book in Prometheus' text format.
func (p *Page) Metrics() []byte {
	s, cfg := p.Book.summary(), p.Config()
	counter := func(name, help string) status.Metric {
		return status.Metric{Name: name, Help: help, Kind: status.Counter}
	}
	sent := counter("empegsync_daemon_sent_bytes_total", "Bytes that clients have acknowledged, by module.")
	received := counter("empegsync_daemon_received_bytes_total", "Bytes that have come from clients, by module.")
	transfers := counter("empegsync_daemon_transfers_total", "Transfers that have ended, by module and result.")
	for _, name := range slices.Sorted(maps.Keys(s.modules)) {
		t, labels := s.modules[name], []string{"module", name}
		add := func(m *status.Metric, v int64, more ...string) {
			m.Samples = append(m.Samples, status.Sample{Labels: append(slices.Clone(labels), more...), Value: float64(v)})
		}
		add(&sent, t.out)
		add(&received, t.in)
		add(&transfers, t.transfers-t.failed, "result", "ok")
		add(&transfers, t.failed, "result", "failed")
	}
	now := map[daemon.Doing]int{}
	for _, v := range s.visits {
		now[v.Doing]++
	}
	connections := status.Metric{Name: "empegsync_daemon_connections", Help: "Connections, by what their clients do.", Kind: status.Gauge}
	for _, d := range []daemon.Doing{daemon.Talking, daemon.Listing, daemon.Waiting, daemon.Receiving, daemon.Sending} {
		connections.Samples = append(connections.Samples, status.Sample{Labels: []string{"doing", string(d)}, Value: float64(now[d])})
	}
	free := status.Metric{Name: "empegsync_daemon_free_bytes", Help: "Bytes that a module's file system has left.", Kind: status.Gauge}
	size := status.Metric{Name: "empegsync_daemon_size_bytes", Help: "Bytes that a module's file system has in all.", Kind: status.Gauge}
	for i := range cfg.Modules {
		m := &cfg.Modules[i]
		if d := s.disks[place(m)]; d.size > 0 {
			labels := []string{"module", m.Name}
			free.Samples = append(free.Samples, status.Sample{Labels: labels, Value: float64(d.free)})
			size.Samples = append(size.Samples, status.Sample{Labels: labels, Value: float64(d.size)})
		}
	}
	return status.AppendMetrics(nil, connections, sent, received, transfers, free, size,
		status.One("empegsync_daemon_clients_total", "Connections that there was room for.", status.Counter, float64(s.came)),
		status.One("empegsync_daemon_refused_total", "Connections that were turned away for lack of room.", status.Counter, float64(s.refused)),
		status.One("empegsync_daemon_all_sent_bytes_total", "Bytes that clients have acknowledged, those before a module among them.", status.Counter, float64(s.total.out)),
		status.One("empegsync_daemon_all_received_bytes_total", "Bytes that have come from clients, those before a module among them.", status.Counter, float64(s.total.in)),
		status.One("empegsync_daemon_start_time_seconds", "When counting began.", status.Gauge, float64(s.since.Unix())),
	)
}
