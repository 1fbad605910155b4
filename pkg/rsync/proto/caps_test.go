package proto

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const golden = "testdata/capabilities.txt"

// capabilities writes down every field of Caps in every version, by
// reflection, so that no field can be left out.
func capabilities(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "%-18s", "field \\ version")
	for v := MinVersion; v <= MaxVersion; v++ {
		fmt.Fprintf(&out, " %3d", v)
	}
	out.WriteByte('\n')
	typ := reflect.TypeFor[Caps]()
	for i := range typ.NumField() {
		if typ.Field(i).Name == "Version" {
			continue
		}
		fmt.Fprintf(&out, "%-18s", typ.Field(i).Name)
		for v := MinVersion; v <= MaxVersion; v++ {
			fmt.Fprintf(&out, " %3s", cell(t, reflect.ValueOf(mustCaps(t, v)).Field(i)))
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func cell(t *testing.T, v reflect.Value) string {
	t.Helper()
	switch {
	case v.Kind() == reflect.Bool && v.Bool():
		return "x"
	case v.Kind() == reflect.Bool:
		return "."
	case v.CanUint():
		return fmt.Sprint(v.Uint())
	}
	t.Fatalf("a field of type %v: teach this test to show it", v.Type())
	return ""
}

func mustCaps(t *testing.T, version int) Caps {
	t.Helper()
	c, err := New(version)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCapabilityTable(t *testing.T) {
	got := capabilities(t)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the capability table has changed; if that is meant, run go test with -update and read the difference.\ngot:\n%s", got)
	}
}

// What the field's releases are known to do, told apart from the table: a
// release's version and some fields on either side of a border.
func TestCapabilityBorders(t *testing.T) {
	for _, tt := range []struct {
		field       string
		first, last int
	}{
		{"MuxBeforeSeed", 20, 22},
		{"MuxBeforeSeedAll", 22, 22},
		{"MuxFromServer", 23, 32},
		{"MuxFromClient", 30, 32},
		{"Goodbye", 24, 32},
		{"GoodbyeEcho", 31, 32},
		{"SumLenOnWire", 27, 32},
		{"WideFlags", 28, 32},
		{"DirsSortLast", 29, 32},
		{"ItemFlags", 29, 32},
		{"IOErrorAfterList", 20, 29},
		{"VarInts", 30, 32},
		{"CompatFlags", 30, 32},
		{"NsecTimes", 31, 32},
		{"DigestGreeting", 32, 32},
	} {
		for v := MinVersion; v <= MaxVersion; v++ {
			got := reflect.ValueOf(mustCaps(t, v)).FieldByName(tt.field).Bool()
			if want := v >= tt.first && v <= tt.last; got != want {
				t.Errorf("%s is %v in version %d", tt.field, got, v)
			}
		}
	}
}

// Every field of the part that follows from the version is set by a row of the
// table, the row's set does what its name says and no more, and it tells its
// source.
func TestGatesSetWhatTheySay(t *testing.T) {
	source := regexp.MustCompile(`^[a-z]+\.c:([a-z_]+|[0-9]+)$`)
	set := map[string]bool{"Version": true}
	for _, g := range gates() {
		name, _, _ := strings.Cut(g.field, "=")
		set[name] = true
		if !source.MatchString(g.source) {
			t.Errorf("%s: source %q is not of the form file.c:place", g.field, g.source)
		}
		if g.since < MinVersion || g.since > MaxVersion || g.until != 0 && g.until < g.since {
			t.Errorf("%s: from %d to %d", g.field, g.since, g.until)
		}
		var c Caps
		g.set(&c)
		v := reflect.ValueOf(c)
		for i := range v.NumField() {
			if touched := !v.Field(i).IsZero(); touched != (v.Type().Field(i).Name == name) {
				t.Errorf("the row %s sets %s: %v", g.field, v.Type().Field(i).Name, touched)
			}
		}
	}
	later := compatFields()
	typ := reflect.TypeFor[Caps]()
	for i := range typ.NumField() {
		if name := typ.Field(i).Name; set[name] == later[name] {
			t.Errorf("%s: set by the version %v, by compatibility flags %v; one of them it must be", name, set[name], later[name])
		}
	}
}

// compatFields finds the fields that the compatibility flags set.
func compatFields() map[string]bool {
	fields := make(map[string]bool)
	v := reflect.ValueOf(Caps{}.WithCompat(^Compat(0)))
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			fields[v.Type().Field(i).Name] = true
		}
	}
	return fields
}

func TestNewRefusesOtherVersions(t *testing.T) {
	for _, v := range []int{-1, 0, MinVersion - 1, MaxVersion + 1, 1 << 30} {
		if c, err := New(v); err == nil {
			t.Errorf("New(%d) = %+v", v, c)
		}
	}
}

func TestCompatFlags(t *testing.T) {
	for letters, want := range map[string]Compat{
		"":                CompatSymlinkTimes,
		"f":               CompatSymlinkTimes | CompatSafeList,
		"LsfxCIvu":        CompatSymlinkTimes | CompatSymlinkIconv | CompatSafeList | CompatAvoidXattrOpt | CompatSeedFirst | CompatInplacePartial | CompatVarintFlags | CompatID0Names,
		"iLsf":            CompatSymlinkTimes | CompatSymlinkIconv | CompatSafeList | CompatIncRecurse,
		ClientLetters():   CompatIncRecurse | CompatSymlinkTimes | CompatSymlinkIconv | CompatSafeList | CompatAvoidXattrOpt | CompatSeedFirst | CompatInplacePartial | CompatVarintFlags | CompatID0Names,
		"letters unknown": CompatSymlinkTimes | CompatSymlinkIconv | CompatID0Names, // only the s and the u
	} {
		if got := CompatFor(letters); got != want {
			t.Errorf("CompatFor(%q) = %#x, want %#x", letters, got, want)
		}
	}
}

func TestWithCompat(t *testing.T) {
	bits := []struct {
		flag   Compat
		fields []string
	}{
		{CompatIncRecurse, []string{"IncRecurse"}},
		{CompatSymlinkTimes, []string{"SymlinkTimes"}},
		{CompatSymlinkIconv, []string{"SymlinkIconv"}},
		{CompatSafeList, []string{"SafeList"}},
		{CompatAvoidXattrOpt, []string{"AvoidXattrOpt"}},
		{CompatSeedFirst, []string{"SeedFirst"}},
		{CompatInplacePartial, []string{"InplacePartial"}},
		{CompatVarintFlags, []string{"VarintFlags", "Negotiates"}},
		{CompatID0Names, []string{"ID0Names"}},
	}
	base := mustCaps(t, 30)
	for i, b := range bits {
		if b.flag != 1<<i {
			t.Errorf("flag %d is %#x", i, b.flag)
		}
		want := base
		for _, f := range b.fields {
			reflect.ValueOf(&want).Elem().FieldByName(f).SetBool(true)
		}
		if got := base.WithCompat(b.flag); got != want {
			t.Errorf("%#x gives %+v", b.flag, got)
		}
		if got := base.WithCompat(b.flag).WithCompat(0); got != base {
			t.Errorf("%#x is not taken back", b.flag)
		}
	}
	// flist.c: use_safe_inc_flist holds from 31 on, flag or not.
	for v, want := range map[int]bool{30: false, 31: true, 32: true} {
		if got := mustCaps(t, v).WithCompat(0).SafeList; got != want {
			t.Errorf("version %d: SafeList %v without its flag", v, got)
		}
	}
}
