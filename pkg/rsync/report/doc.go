// Package report tells those who watch a daemon how it does: a status page and
// Prometheus' metrics.
//
//	book := &report.Book{}
//	srv := &daemon.Server{Watch: book, Log: slog.New(book.Handler(handler)), ...}
//	go book.Run(ctx, srv.Current)
//	go web.Serve(ctx, ln, &web.Page{Names: names, HTML: page.HTML, Metrics: page.Metrics})
//
// What moves is asked of the kernel, connection by connection, so that workers
// need not tell and a transfer is not slowed down by being watched.
package report
