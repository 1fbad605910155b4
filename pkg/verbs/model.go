package verbs

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Verb is a command, or the program itself.
type Verb struct {
	Name   string // "" for the program
	Help   string // in a line
	Hidden bool
	Parent *Verb
	Verbs  []*Verb
	Flags  []*Field // its own; those of its parents are understood as well
	Args   []*Field

	byDefault bool // stands for its parent
	value     reflect.Value
}

// Target is a pointer to the verb's struct, filled from the command line.
func (v *Verb) Target() any { return v.value.Addr().Interface() }

// Path is how a user calls the verb, the program's name in front.
func (v *Verb) Path(program string) string {
	if v.Parent == nil {
		return program
	}
	return v.Parent.Path(program) + " " + v.Name
}

// Field is a flag or an argument.
type Field struct {
	Name, Help, Short, Default, Placeholder, Xor string
	Enum, Also                                   []string
	Optional, Required, Hidden                   bool
	Negatable, Passthrough, Counter, Path        bool
	NoSplit                                      bool

	value reflect.Value
	given bool
}

// isBool reports a flag without a value.
func (f *Field) isBool() bool { return f.value.Kind() == reflect.Bool }

// New describes the struct that into points to. Wrong tags are a programmer's
// mistake, which the error names.
func New(into any) (*Verb, error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("verbs: a %T is no pointer to a struct", into)
	}
	root := &Verb{value: v.Elem()}
	return root, root.fields(v.Elem())
}

// fields adds a struct's fields.
func (v *Verb) fields(s reflect.Value) error {
	for i := range s.NumField() {
		f := s.Type().Field(i)
		_, isCmd := f.Tag.Lookup("cmd")
		switch {
		case isCmd:
			sub := &Verb{
				Name: nameOf(f), Help: f.Tag.Get("help"), Hidden: has(f, "hidden"), Parent: v,
				byDefault: f.Tag.Get("default") == "withargs", value: s.Field(i),
			}
			if err := sub.fields(s.Field(i)); err != nil {
				return err
			}
			v.Verbs = append(v.Verbs, sub)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			if err := v.fields(s.Field(i)); err != nil {
				return err
			}
		case f.IsExported():
			if err := v.add(f, s.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *Verb) add(f reflect.StructField, value reflect.Value) error {
	field := &Field{
		Name: nameOf(f), Help: f.Tag.Get("help"), Short: f.Tag.Get("short"), Default: f.Tag.Get("default"),
		Placeholder: f.Tag.Get("placeholder"), Xor: f.Tag.Get("xor"), Optional: has(f, "optional"), Required: has(f, "required"),
		Hidden: has(f, "hidden"), Negatable: has(f, "negatable"), Passthrough: has(f, "passthrough"),
		Counter: f.Tag.Get("type") == "counter", Path: f.Tag.Get("type") == "path", NoSplit: f.Tag.Get("sep") == "none", value: value,
	}
	if also := f.Tag.Get("also"); also != "" {
		field.Also = strings.Split(also, ",")
	}
	if e, ok := f.Tag.Lookup("enum"); ok {
		field.Enum = strings.Split(e, ",")
	}
	switch value.Interface().(type) {
	case bool, string, int, int64, time.Duration, []string:
	default:
		return fmt.Errorf("verbs: field %s of %s has a type that no command line has: %s", f.Name, v.value.Type(), f.Type)
	}
	if field.Default != "" {
		if err := field.set(field.Default); err != nil {
			return fmt.Errorf("verbs: the default of field %s: %w", f.Name, err)
		}
	}
	if has(f, "arg") {
		v.Args = append(v.Args, field)
	} else {
		v.Flags = append(v.Flags, field)
	}
	return nil
}

func has(f reflect.StructField, tag string) bool {
	_, ok := f.Tag.Lookup(tag)
	return ok
}

// nameOf is the name that a tag gives, or the field's: DryRun is "dry-run".
func nameOf(f reflect.StructField) string {
	if n := f.Tag.Get("name"); n != "" {
		return n
	}
	var b strings.Builder
	for i, r := range f.Name {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 && (f.Name[i-1] < 'A' || f.Name[i-1] > 'Z') {
			b.WriteByte('-')
		}
		if upper {
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
