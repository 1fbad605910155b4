// Package options knows every option of rsync 3.5.0: how it is spelled, what
// it means, whether this program does it yet, and what a server is told of it.
//
// One table drives it all: reading a client's command line, a daemon's, and
// the list of arguments that a client sends to a server (Parse, ParseServer);
// making that list (Options.ServerArgs); the help text (Help); and a module's
// "refuse options" (NewRefusal). An option that the engine does not do yet is
// an error of kind Unsupported that names it; none is accepted and ignored.
// Its row becomes supported by saying what it sets.
//
//	o, err := options.Parse(os.Args[1:])       // -auv --delete rsync://master/drive0/ .
//	args := o.ServerArgs(options.Peer{Capabilities: "LsfxCIvu"})
//	// --server --sender -vulogDtpre.LsfxCIvu
//
//	refuse, unmatched := options.NewRefusal(module.RefuseOptions)
//	o, err = options.ParseServer(args, refuse) // what a daemon was sent
//
// The package is pure. It opens none of the files that options name and knows
// no protocol version: limits that depend on one, such as that of --block-size
// and the lowest --protocol, are for the engine. Spellings, meanings, order of
// arguments and the texts of errors are those of C rsync's options.c and popt.
package options
