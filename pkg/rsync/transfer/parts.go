package transfer

import (
	"errors"
	"fmt"
	"math"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// firstList reads the list, or its first part, and with that a second one if
// the first has a single entry: then it shows whether that is all
// (flist.c:recv_additional_file_list).
func (r *receiver) firstList() (*filelist.List, error) {
	list := r.newList(0, nil)
	if r.Caps.IncRecurse {
		list.Start = 1
	}
	r.decoder = filelist.NewDecoder(r.Caps, r.fields())
	r.decoder.Rooted = r.opt.Relative
	r.decoder.Names, r.decoder.Unnamed = r.Charset, r.unnamed
	if r.opt.MungeLinks {
		r.decoder.LinkPrefix = MungePrefix
	}
	r.decoder.After = r.afterEntry()
	if err := r.readList(list, filelist.MaxEntries); err != nil {
		return nil, err
	}
	var err error
	warn := func(text string) { r.report(proto.TagError, "%s", text) }
	if r.owners, err = newOwners(list, r.opt, r.accounts(), r.Nameless, r.Caps.ID0Names, warn); err != nil {
		return nil, err
	}
	r.learn = r.owners.learn
	for id, name := range r.lists.users {
		r.learn(true, id, name)
	}
	for id, name := range r.lists.groups {
		r.learn(false, id, name)
	}
	if !r.Caps.IncRecurse {
		r.publish(list)
		r.complete()
		return list, nil
	}
	if first := list.At(list.Start); first != nil && first.IsDir() && first.Path() == "." {
		list.Parent = first
	}
	if err := r.folders.Announce(list); err != nil {
		return nil, proto.Fail(proto.ExitProtocol, err)
	}
	r.publish(list)
	if list.Len() == 1 {
		index := r.in.Read(r.R)
		if r.R.Err() != nil {
			return nil, fmt.Errorf("read the file list's second part: %w", r.R.Err())
		}
		return list, r.readPart(index)
	}
	return list, nil
}

// readList reads and sorts a list or a part of it.
func (r *receiver) readList(list *filelist.List, limit int) error {
	start := r.R.Total()
	so := r.parts.entries()
	_, flight := r.parts.inFlight()
	r.decoder.Room = max(1, r.mostMemory-flight-r.folders.Bytes())
	_, err := r.decoder.ReadPart(r.R, list, limit, func(n int) { r.obs.Listed(so+n, false) })
	if errors.Is(err, filelist.ErrMemory) {
		return proto.Fail(proto.ExitMalloc, err)
	}
	if err != nil {
		return proto.Fail(proto.ExitStreamIO, err)
	}
	r.stats.ListSize += r.R.Total() - start
	r.setIOError(list.IOError)
	if !r.Caps.NoContentDirs {
		r.markContent(list)
	}
	list.Sort(r.Caps.DirsSortLast)
	if r.opt.PruneEmptyDirs {
		r.prune(list)
	}
	for _, e := range list.All() {
		if r.Distrust != nil && e.Mark&filelist.MarkUnnamed == 0 {
			if err := r.Distrust(e); err != nil {
				return err
			}
		}
		r.adopt(e)
		if e.Mark&filelist.MarkUnnamed == 0 { // duplicates count (flist.c:recv_file_entry)
			r.count(e)
		}
	}
	return nil
}

// publish hands a list to the generating goroutine. From here on nobody
// changes it.
func (r *receiver) publish(list *filelist.List) { r.parts.add(list) }

// complete says that the list is complete.
func (r *receiver) complete() {
	r.parts.seal()
	r.obs.Listed(r.parts.entries(), true)
}

// readPart reads what a negative index announces: a part of the list, or that
// there are no more (rsync.c:read_ndx_and_attrs). It is called by the receiving
// goroutine.
func (r *receiver) readPart(index int32) error {
	if r.parts.isComplete() {
		return proto.Failf(proto.ExitProtocol, "index %d announces a part of a file list that is complete", index)
	}
	if index == proto.IndexListEnd {
		r.complete()
		r.events.poke()
		return nil
	}
	parent, err := r.folders.Take(index)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	flight, _ := r.parts.inFlight()
	end := r.parts.end()
	limit := min(int64(filelist.MaxEntries-flight), math.MaxInt32-2-int64(end))
	if limit < 1 {
		return proto.Failf(proto.ExitProtocol, "the file list has more than %d entries in flight, or indexes beyond %d", filelist.MaxEntries, math.MaxInt32)
	}
	list := r.newList(end+1, parent)
	if err := r.readList(list, int(limit)); err != nil {
		return err
	}
	if !r.opt.NumericIDs && !r.Nameless {
		for id, name := range list.Users {
			r.owners.users.learn(id, name)
		}
		for id, name := range list.Groups {
			r.owners.groups.learn(id, name)
		}
	}
	if err := r.folders.Announce(list); err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	r.publish(list)
	r.events.poke()
	return nil
}
