package compress

import "io"

// A run of literals that is longer than a frame goes on in frames of its own,
// which several processors make at once: any receiver of zstd takes one frame
// after the other. Frames know nothing of each other, which costs less than a
// hundredth of the compressed size at this length.
const frameSize = 4 << 20 // bytes of literals

// frames makes frames in the background and writes them in order. It is for one
// goroutine.
type frames struct {
	encode  func(src, dst []byte) []byte // makes a frame; from several goroutines
	workers int
	out     io.Writer

	filling *frame
	working []*frame // oldest first
	spare   []*frame
}

type frame struct {
	literals, packed []byte
	fault            any           // what the encoder has panicked with
	done             chan struct{} // gets one when packed or fault is there
}

// add takes literals.
func (f *frames) add(p []byte) error {
	for len(p) > 0 {
		if f.filling == nil {
			f.filling = f.empty()
		}
		n := min(len(p), frameSize-len(f.filling.literals))
		f.filling.literals = append(f.filling.literals, p[:n]...)
		if p = p[n:]; len(f.filling.literals) < frameSize {
			return nil
		}
		if err := f.start(); err != nil {
			return err
		}
	}
	return nil
}

func (f *frames) empty() *frame {
	if n := len(f.spare); n > 0 {
		fr := f.spare[n-1]
		f.spare = f.spare[:n-1]
		return fr
	}
	return &frame{literals: make([]byte, 0, frameSize), packed: make([]byte, 0, frameSize/2), done: make(chan struct{}, 1)}
}

// start has the frame that is being filled made, when a worker is free.
func (f *frames) start() error {
	if len(f.working) == f.workers {
		if err := f.write(); err != nil {
			return err
		}
	}
	fr := f.filling
	f.filling = nil
	f.working = append(f.working, fr)
	go func() {
		defer func() {
			fr.fault = recover()
			fr.done <- struct{}{}
		}()
		fr.packed = f.encode(fr.literals, fr.packed[:0])
	}()
	return nil
}

// write waits for the oldest frame and writes it.
func (f *frames) write() error {
	fr := f.working[0]
	<-fr.done
	f.working = f.working[:copy(f.working, f.working[1:])]
	if fr.fault != nil {
		panic(fr.fault) // where the session contains it, not the process
	}
	_, err := f.out.Write(fr.packed)
	fr.literals = fr.literals[:0]
	f.spare = append(f.spare, fr)
	return err
}

// flush writes all that was taken; nothing works in the background then.
func (f *frames) flush() error {
	var err error
	if f.filling != nil {
		err = f.start()
	}
	for len(f.working) > 0 && err == nil {
		err = f.write()
	}
	return err
}
