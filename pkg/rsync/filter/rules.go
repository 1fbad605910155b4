package filter

import (
	"errors"
	"fmt"
	"strings"
)

// Options are what a whole list of rules depends on.
type Options struct {
	// DeleteExcluded makes every rule that names no side a rule of the sender
	// only, so that excluded names are deleted. Both sides must be told.
	DeleteExcluded bool
	// ReadMerge returns the text of the file that a merge rule (".") names. It
	// is called while a rule is added. A server leaves it nil: then merge rules
	// are refused, for a peer has no business naming files to be read.
	ReadMerge func(name string) ([]byte, error)
	// NULLines says that records in files end in NUL bytes (--from0).
	NULLines bool
	// CVSIgnore are the user's own additions to the CVS rules of "-C": the text
	// of ~/.cvsignore, then the value of $CVSIGNORE.
	CVSIgnore  []string
	lastingCVS bool
	// MaxRules bounds the number of rules in the list, and again in each
	// directory's own rules; 0 stands for DefaultMaxRules.
	MaxRules int
}

// DefaultMaxRules is the bound on rules where Options names none: more than
// people write, and little enough that a peer cannot fill a small machine.
const DefaultMaxRules = 16384

// Bounds on merge files, which may name further ones, themselves included.
const (
	maxMerges    = 256 // read for one rule or one file
	maxDirMerges = 64  // looked for in every directory
)

// Rules is an ordered list of filter rules. Add to it first, from one
// goroutine; from then on it may be read by several.
type Rules struct {
	options Options
	list    []*rule
}

// New returns an empty list.
func New(o Options) *Rules {
	if o.MaxRules <= 0 {
		o.MaxRules = DefaultMaxRules
	}
	return &Rules{options: o}
}

// LastingCVS has the rules of "-C" that are added from here on protect what is
// in folders that are deleted, too, as they do before protocol 30.
func (r *Rules) LastingCVS() { r.options.lastingCVS = true }

// Len is the number of rules in the list.
func (r *Rules) Len() int { return len(r.list) }

// Add reads one rule as --filter takes it, for example "-p *.bak" or
// "exclude,p *.bak". An empty text is no rule.
func (r *Rules) Add(text string) error {
	return r.addOne("filter rule", text, style{})
}

// AddExclude reads a rule as --exclude takes it: a pattern, before which "- "
// or "+ " may stand, or "!".
func (r *Rules) AddExclude(text string) error {
	return r.addOne("exclude", text, style{oldPrefixes: true})
}

// AddInclude reads a rule as --include takes it; see AddExclude.
func (r *Rules) AddInclude(text string) error {
	return r.addOne("include", text, style{flags: include, oldPrefixes: true})
}

// AddExcludeFile reads the text of a file as --exclude-from takes it: a rule
// of AddExclude a line, leaving out empty lines and those that begin with # or
// a semicolon. name is for errors.
func (r *Rules) AddExcludeFile(name string, text []byte) error {
	return r.addFile(name, text, style{oldPrefixes: true})
}

// AddIncludeFile reads the text of a file as --include-from takes it.
func (r *Rules) AddIncludeFile(name string, text []byte) error {
	return r.addFile(name, text, style{flags: include, oldPrefixes: true})
}

func (r *Rules) addOne(what, text string, st style) error {
	b := r.builder()
	if err := b.text(text, st); err != nil {
		return fmt.Errorf("%s %q: %w", what, abbreviate(text), err)
	}
	r.list = b.rules
	return nil
}

func (r *Rules) addFile(name string, text []byte, st style) error {
	b := r.builder()
	if err := b.file(name, text, st); err != nil {
		return err
	}
	r.list = b.rules
	return nil
}

// abbreviate keeps an error about an endless rule readable.
func abbreviate(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

// builder collects rules into one list: the global one, or that of a merge
// file in one directory. On an error its list is thrown away.
type builder struct {
	options *Options
	rules   []*rule
	dir     string // absolute directory of the merge file; "" for the root "/"
	perDir  bool
	// hush keeps what is in the files out of errors; hushName is the file that
	// a rule of the global list has led to.
	hush     bool
	hushName string
	cleared  bool // a "!" came: inherited rules are dropped as well
	merges   int  // merge files read so far
	// taken reports whether a dir-merge of that file name is in effect already.
	taken func(name string) bool
	// read opens a merge file named in a rule.
	read func(name string) ([]byte, error)
}

func (r *Rules) builder() *builder {
	return &builder{
		options: &r.options,
		rules:   r.list, // only appended to: after an error r.list is as before
		read: func(name string) ([]byte, error) {
			if r.options.ReadMerge == nil {
				return nil, errors.New("merge files are only read for the side that names them")
			}
			return r.options.ReadMerge(name)
		},
	}
}

// text reads all rules of text, which is one unless st splits words.
func (b *builder) text(text string, st style) error {
	for {
		if st.flags&wordSplit != 0 {
			text = strings.TrimLeftFunc(text, isSpace)
		}
		if text == "" {
			return nil
		}
		p, rest, err := st.next(text)
		if err != nil {
			return err
		}
		if err := b.add(p); err != nil {
			return err
		}
		text = rest
	}
}

// file reads the rules of a file's text. Errors about a folder's merge file
// name the file and the line and say nothing of what is there: it may be a file
// that the peer should not see.
// // exclude.c:parse_filter_file
func (b *builder) file(name string, text []byte, st style) error {
	ends := "\n\r"
	if b.options.NULLines {
		ends = "\x00"
	}
	line, rest := "", string(text)
	for n := 1; rest != ""; n++ {
		line, rest = cutAny(rest, ends)
		comment := st.flags&wordSplit == 0 && (strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"))
		if line == "" || comment {
			continue
		}
		switch err := b.text(line, st); {
		case err != nil && b.hush:
			return fmt.Errorf("%s:%d: this line is no filter rule, or one that is not possible here", b.hushName, n)
		case err != nil:
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	return nil
}

// cutAny cuts s at the first of the bytes in ends; \r\n counts as one end.
func cutAny(s, ends string) (line, rest string) {
	i := strings.IndexAny(s, ends)
	if i < 0 {
		return s, ""
	}
	line, rest = s[:i], s[i+1:]
	if s[i] == '\r' {
		rest = strings.TrimPrefix(rest, "\n")
	}
	return line, rest
}

// add puts a rule into the list, or does what it says. // exclude.c:parse_filter_str
func (b *builder) add(p parsed) error {
	if p.clear {
		b.rules, b.cleared = nil, true
		return nil
	}
	if p.flags&mergeFile == 0 {
		r := newRule(p.pattern, p.flags)
		if p.flags&cvs != 0 {
			list, err := cvsRules(b.options, p.flags&sides)
			if err != nil {
				return err
			}
			r.cvsList = list
		} else if b.perDir && p.flags&absPath == 0 && strings.HasPrefix(p.pattern, "/") {
			r.base = b.dir
		}
		return b.append(r)
	}
	if p.pattern == "" {
		p.pattern = ".cvsignore" // only a "C" may come without a name
	}
	if p.flags&excludeSelf != 0 {
		p.flags &^= excludeSelf
		if err := b.append(newRule(p.pattern[strings.LastIndexByte(p.pattern, '/')+1:], 0)); err != nil {
			return err
		}
	}
	if p.flags&dirMerge != 0 {
		return b.addDirMerge(p)
	}
	return b.merge(p)
}

// append adds a finished rule at the end.
func (b *builder) append(r *rule) error {
	if len(b.rules) >= b.options.MaxRules {
		return fmt.Errorf("there are more than %d rules", b.options.MaxRules)
	}
	if b.options.DeleteExcluded && r.flags&(sides|mergeFile) == 0 {
		r.flags |= senderSide
	}
	b.rules = append(b.rules, r)
	return nil
}

// addDirMerge adds a per-directory merge rule, unless a file of that name is
// being merged already.
func (b *builder) addDirMerge(p parsed) error {
	r := newRule(p.pattern, p.flags)
	count := 0
	for _, other := range b.rules {
		if other.flags&dirMerge == 0 {
			continue
		}
		if other.mergeName() == r.mergeName() {
			return nil
		}
		count++
	}
	if count >= maxDirMerges {
		return fmt.Errorf("there are more than %d per-directory merge files", maxDirMerges)
	}
	if b.taken != nil && b.taken(r.mergeName()) {
		return nil
	}
	return b.append(r)
}

// merge reads the file of a merge rule in the rule's place.
func (b *builder) merge(p parsed) error {
	if b.merges++; b.merges > maxMerges {
		return fmt.Errorf("more than %d merge files are named: do they name each other?", maxMerges)
	}
	text, err := b.read(p.pattern)
	if err != nil {
		return fmt.Errorf("read merge file %s: %w", p.pattern, err)
	}
	// In C rsync a leading slash in such a file means the transfer root even if
	// a per-directory file names it, and both sides must agree.
	inner := *b
	inner.perDir = false
	err = inner.file(p.pattern, text, style{flags: p.flags})
	b.rules, b.cleared, b.merges = inner.rules, inner.cleared, inner.merges
	return err
}
