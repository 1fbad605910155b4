package filelist

// Unnamed says what of an entry cannot be converted to this side's character set.
type Unnamed uint8

// The kinds: its name, the target of a symbolic link.
const (
	UnnamedName Unnamed = iota
	UnnamedTarget
)

// unnamedMarks are those of an entry that is only there for its index.
const unnamedMarks = MarkDropped | MarkUnnamed

// convertName converts a name that is clean as it came, and looks at what it has
// become: a character set must not make a slash of anything.
func (d *Decoder) convertName(name []byte, e *Entry) ([]byte, error) {
	made, err := d.Names.FromWire(string(name))
	if err != nil {
		d.unnamed(UnnamedName, string(name), err, e)
		return name, nil
	}
	return []byte(made), CheckName([]byte(made))
}

// convertTarget converts a link's target, which is told of by the link's own name.
func (d *Decoder) convertTarget(target string, e *Entry) string {
	made, err := d.Names.FromWire(target)
	if err != nil {
		if e.Mark&MarkUnnamed == 0 {
			d.unnamed(UnnamedTarget, e.Path(), err, e)
		}
		return target
	}
	return made
}

func (d *Decoder) unnamed(what Unnamed, name string, err error, e *Entry) {
	e.Mark |= unnamedMarks
	if d.Unnamed != nil {
		d.Unnamed(what, name, err)
	}
}

// belongs reports whether an entry may be in the part of the list for a folder,
// which is called dir. In a folder without a name nothing has one.
func belongs(e, parent *Entry, dir string) bool {
	if e.Mark&MarkUnnamed != 0 {
		return true
	}
	return parent.Mark&MarkUnnamed == 0 && e.Dir == dir
}
