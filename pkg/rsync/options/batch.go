package options

// Batch says what becomes of the changes of a run besides being made, or where
// they come from. // options.c:parse_arguments, batch.c
type Batch struct {
	// WriteBatch names the file that the changes are written to, "" for none.
	// With OnlyBatch they are not made, and DryRun is set, too; a server knows
	// this alone.
	WriteBatch string
	OnlyBatch  bool
	// ReadBatch names the file that the changes come from, "-" is the standard
	// input, "" for none.
	ReadBatch string
}

// maxBatchName bounds the name of a batch file in bytes, which grows by ".sh".
// // rsync.h:MAXPATHLEN
const maxBatchName = 4096 - 4

func batchRows() []row {
	return []row{
		value("write-batch", "", "FILE", "write the changes to a batch file too", setWriteBatch(false)).in(client),
		value("only-write-batch", "", "FILE", "write the changes to a batch file, do not make them", setWriteBatch(true)).
			from("2.6.5").
			toServer(125, func(o *Options, p Peer) string {
				if o.OnlyBatch && p.Push {
					return "--only-write-batch=X"
				}
				return ""
			}),
		value("read-batch", "", "FILE", "make the changes of a batch file, \"-\" for the standard input",
			text(func(o *Options) *string { return &o.ReadBatch })).in(client),
	}
}

func setWriteBatch(only bool) action {
	return func(s *state, arg string) *Error {
		s.OnlyBatch = only
		if s.mode != server {
			s.WriteBatch = arg
		}
		return nil
	}
}

// finishBatch settles what batches have to do with other options. Where nothing
// is changed there is nothing to write.
func (s *state) finishBatch() *Error {
	writes := s.WriteBatch != "" || s.OnlyBatch
	switch {
	case writes && s.ReadBatch != "":
		return syntaxError("--write-batch and --read-batch can not be used together")
	case s.ReadBatch != "" && s.FilesFrom != "":
		return syntaxError("--read-batch cannot be used with --files-from")
	case max(len(s.WriteBatch), len(s.ReadBatch)) > maxBatchName:
		return syntaxError("the batch-file name must be %d characters or less.", maxBatchName)
	case s.DryRun || s.ListOnly != ListNo && s.mode != server:
		s.WriteBatch, s.OnlyBatch = "", false
	}
	s.DryRun = s.DryRun || s.OnlyBatch
	return nil
}

// MovesData reports whether the data of files travels. // options.c: do_xfers
func (o *Options) MovesData() bool { return !o.DryRun || o.OnlyBatch }
