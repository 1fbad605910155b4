package filelist

import "iter"

// keepOrder remembers, before a list is sorted, what its indexes on the wire stand
// for; order is where each entry of the sorted list comes from.
func (l *List) keepOrder(order []int32) {
	if !l.KeepsOrder {
		return
	}
	l.sent = append([]int32(nil), order...)
	l.places = make([]int32, len(order))
	for at, was := range order {
		l.places[was] = int32(at)
	}
	l.bytes += 8 * int64(len(order))
}

// Sent returns the index that an entry has on the wire. Indexes that are none of
// the list's entries stay as they are.
func (l *List) Sent(index int32) int32 { return l.translate(l.sent, index) }

// Place returns the index in this list that one on the wire stands for, the way
// back of [List.Sent].
func (l *List) Place(sent int32) int32 { return l.translate(l.places, sent) }

func (l *List) translate(by []int32, index int32) int32 {
	if by == nil || index < l.Start || index >= l.End() {
		return index
	}
	return l.Start + by[index-l.Start]
}

// Dirs returns the folders in order, each with its number among them as they were
// sent (flist.c:recv_file_list, dir_flist).
func (l *List) Dirs() iter.Seq2[int32, *Entry] {
	return func(yield func(int32, *Entry) bool) {
		numbers := l.dirNumbers()
		count := int32(0)
		for i := range l.length {
			if e := l.at(i); e.IsDir() {
				number := count
				if numbers != nil {
					number = numbers[l.sent[i]]
				}
				count++
				if !yield(number, e) {
					return
				}
			}
		}
	}
}

// dirNumbers gives for each place on the wire how many folders came before; nil
// where that is the list's own order.
func (l *List) dirNumbers() []int32 {
	if l.sent == nil {
		return nil
	}
	numbers := make([]int32, l.length)
	count := int32(0)
	for was := range numbers {
		numbers[was] = count
		if l.at(int(l.places[was])).IsDir() {
			count++
		}
	}
	return numbers
}
