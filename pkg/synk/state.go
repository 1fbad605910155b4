package synk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// StateFile is where the state of a tree is kept below a directory of states.
func StateFile(dir, tree string) string {
	sum := sha256.Sum256([]byte(tree))
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+".json")
}

// The state's form in a file. Hosts are numbered.
type (
	stateFile struct {
		Synk  int         `json:"synk"` // Version
		Tree  Name        `json:"tree"`
		Hosts []string    `json:"hosts"`
		Paths []statePath `json:"paths"`
	}
	statePath struct {
		Path   Name         `json:"path"`
		Kind   Kind         `json:"kind,omitempty"`
		Sum    *Sum         `json:"sum,omitempty"`
		Target []byte       `json:"target,omitempty"`
		Has    []int        `json:"has"`
		Stale  []stateStale `json:"stale,omitempty"`
		// Modes and owners: what was agreed on, who had it, what others had.
		Attrs      *stateAttrs `json:"attrs,omitempty"`
		AttrsHas   []int       `json:"attrs_has,omitempty"`
		AttrsStale []stateHad  `json:"attrs_stale,omitempty"`
	}
	stateAttrs struct {
		Mode  uint32 `json:"mode"`
		Owner string `json:"owner,omitempty"`
		Group string `json:"group,omitempty"`
	}
	stateHad struct {
		Host int `json:"host"`
		stateAttrs
	}
	stateStale struct {
		Host   int    `json:"host"`
		Kind   Kind   `json:"kind"`
		Sum    *Sum   `json:"sum,omitempty"`
		Target []byte `json:"target,omitempty"`
	}
)

// ReadState reads the state of a tree.
func ReadState(r io.Reader, tree string) (State, error) {
	var f stateFile
	if err := readLine(r, maxLine, &f); err != nil {
		return nil, err
	}
	if f.Synk != Version || string(f.Tree) != tree {
		return nil, fmt.Errorf("it is of version %d and of the tree %q", f.Synk, string(f.Tree))
	}
	st := make(State, len(f.Paths))
	host := func(i int) (string, error) {
		if i < 0 || i >= len(f.Hosts) {
			return "", fmt.Errorf("there is no host %d", i)
		}
		return f.Hosts[i], nil
	}
	for _, p := range f.Paths {
		a, err := p.agreed(host)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", string(p.Path), err)
		}
		st[string(p.Path)] = a
	}
	return st, nil
}

func (p statePath) agreed(host func(int) (string, error)) (a Agreed, err error) {
	a = Agreed{Hosts: make(map[string]bool), Stale: make(map[string]Content)}
	if a.Content, err = content(p.Kind, p.Sum, p.Target); err != nil {
		return a, err
	}
	for _, i := range p.Has {
		h, err := host(i)
		if err != nil {
			return a, err
		}
		a.Hosts[h] = true
	}
	for _, s := range p.Stale {
		h, err := host(s.Host)
		if err != nil {
			return a, err
		}
		if a.Stale[h], err = content(s.Kind, s.Sum, s.Target); err != nil {
			return a, err
		}
	}
	if err := p.attrs(host, &a); err != nil {
		return a, err
	}
	return a, p.Path.check()
}

// attrs adds what is remembered of modes and owners.
func (p statePath) attrs(host func(int) (string, error), a *Agreed) error {
	a.Had = make(map[string]Attrs)
	had := p.AttrsStale
	if p.Attrs != nil {
		a.Attrs = &Attrs{p.Attrs.Mode, p.Attrs.Owner, p.Attrs.Group}
		for _, i := range p.AttrsHas {
			had = append(had, stateHad{i, *p.Attrs})
		}
	}
	for _, s := range had {
		h, err := host(s.Host)
		if err != nil {
			return err
		}
		a.Had[h] = Attrs{s.Mode, s.Owner, s.Group}
		if s.Mode&^0o7777 != 0 {
			return fmt.Errorf("a mode %o", s.Mode)
		}
	}
	return nil
}

// Write writes the state of a tree.
func (st State) Write(w io.Writer, tree string) error {
	f := stateFile{Synk: Version, Tree: Name(tree), Hosts: []string{}, Paths: []statePath{}}
	numbers := make(map[string]int)
	number := func(host string) int {
		n, ok := numbers[host]
		if !ok {
			n = len(f.Hosts)
			numbers[host] = n
			f.Hosts = append(f.Hosts, host)
		}
		return n
	}
	for _, name := range slices.Sorted(maps.Keys(st)) {
		a := st[name]
		p := statePath{Path: Name(name), Kind: a.Content.Kind, Has: []int{}}
		p.Sum, p.Target = a.Content.wire()
		for _, h := range slices.Sorted(maps.Keys(a.Hosts)) {
			p.Has = append(p.Has, number(h))
		}
		for _, h := range slices.Sorted(maps.Keys(a.Stale)) {
			s := stateStale{Host: number(h), Kind: a.Stale[h].Kind}
			s.Sum, s.Target = a.Stale[h].wire()
			p.Stale = append(p.Stale, s)
		}
		if a.Attrs != nil {
			p.Attrs = &stateAttrs{a.Attrs.Mode, a.Attrs.Owner, a.Attrs.Group}
		}
		for _, h := range slices.Sorted(maps.Keys(a.Had)) {
			if had := a.Had[h]; a.Attrs != nil && had == *a.Attrs {
				p.AttrsHas = append(p.AttrsHas, number(h))
			} else {
				p.AttrsStale = append(p.AttrsStale, stateHad{number(h), stateAttrs(had)})
			}
		}
		f.Paths = append(f.Paths, p)
	}
	return json.NewEncoder(w).Encode(f)
}

// store is a state's file, locked.
type store struct {
	name, tree string
	lock       *os.File
}

// openStore locks the state of a tree, so that no two runs plan at once.
func openStore(dir, tree string) (*store, State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the directory of states: %w", err)
	}
	s := &store{name: StateFile(dir, tree), tree: tree}
	lock, err := os.OpenFile(s.name+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("lock the state: %w", err)
	}
	s.lock = lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("lock the state %s: %w: another synk is at work on %s", s.name, err, tree)
	}
	st, err := s.load()
	if err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("read the state %s: %w (without it, deletions come back once)", s.name, err)
	}
	return s, st, nil
}

func (s *store) load() (State, error) {
	f, err := os.Open(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadState(f, s.tree)
}

// save replaces the state, whole or not at all.
func (s *store) save(st State) error {
	f, err := os.CreateTemp(filepath.Dir(s.name), ".state")
	if err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	err = st.Write(f, s.tree)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep the state: %w", err)
	}
	return nil
}

func (s *store) close() { s.lock.Close() }
