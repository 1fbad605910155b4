package daemon

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// TestConverterAnswers: what a converter may be asked, and which of its answers
// count: nothing else may become a name, and never an id.
func TestConverterAnswers(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer here.Close()
	answers := map[string]string{"usr joe": "12", "usr zero": "0", "usr none": "", "usr text": "joe", "usr most": "4294967295", "usr more": "4294967296",
		"usr plus": "+5", "usr space": "5 ", "grp joe": "34", "uid 12": "joe", "gid 34": strings.Repeat("g", 256), "uid 13": "a\x00b"}
	asked := make(chan string, 100)
	go func() {
		for in := bufio.NewScanner(there); in.Scan(); {
			asked <- in.Text()
			if _, err := there.Write([]byte(answers[in.Text()] + "\n")); err != nil {
				return
			}
		}
	}()
	c := &converter{conn: here, r: bufio.NewReaderSize(here, maxNameLine), failed: func(err error) { t.Error(err) }}
	for name, want := range map[string]int64{"joe": 12, "zero": 0, "none": -1, "text": -1, "most": -1, "more": -1, "plus": -1, "space": -1} {
		id, ok := c.UserID(name)
		if got := int64(id); ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %d, %v", name, id, ok)
		}
		if q := <-asked; q != "usr "+name {
			t.Errorf("asked %q", q)
		}
	}
	if id, ok := c.GroupID("joe"); id != 34 || !ok {
		t.Errorf("group %d, %v", id, ok)
	}
	if a, b, g := c.UserName(12), c.UserName(13), c.GroupName(34); a != "joe" || b != "" || g != "" {
		t.Errorf("names %q, %q, %q", a, b, g)
	}
	for len(asked) > 0 {
		<-asked
	}
	for _, name := range []string{"joe\nusr root", "joe\r", "jo\x00e", "jo\x7fe", strings.Repeat("x", 256)} {
		if _, ok := c.UserID(name); ok || len(asked) > 0 {
			t.Errorf("%q was asked for", name)
		}
	}
}
