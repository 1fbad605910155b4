package options

import (
	"testing"
	"time"
)

func TestStopTime(t *testing.T) {
	now := time.Date(2027, 1, 30, 14, 30, 20, 0, time.UTC)
	for in, want := range map[string]string{
		"14:31": "2027-01-30T14:31", "14:30": "2027-01-31T14:30", ":59": "2027-01-30T14:59", ":30": "2027-01-30T15:30", "31": "2027-01-31T00:00",
		"30": "2027-03-30T00:00", "1": "2027-02-01T00:00", "1-30": "2028-01-30T00:00", "1/30T15:00": "2027-01-30T15:00", "2-29": "2028-02-29T00:00",
		"2030-12-31T23:59": "2030-12-31T23:59", "30/1/2": "2030-01-02T00:00", "31T": "2027-01-31T00:00",
		"x": "", "": "", "T": "", "25:00": "", "1:2:3": "", "T5": "", "0": "", "32": "", "2020-1-1": "", "2027-1-30": "", "2-30": "", "13-1": "", "1-2-3-4": "",
		"--1": "", "1:60": "", "-1:00": "", "1T:30": "",
	} {
		got, err := StopTime(in, now)
		if want == "" && err == nil || want != "" && (err != nil || got.Format("2006-01-02T15:04") != want) {
			t.Errorf("%q: %v, %v; want %s", in, got, err, want)
		}
	}
}

func TestBwLimit(t *testing.T) {
	for in, want := range map[string]int64{"100": 100, "1.5m": 1536, "0": 0, "512b": 1, "1000b": 1, "1.5": 2, "2k": 2, "1mb": 977, "": 0} {
		o := mustParse(t, []string{"--bwlimit=" + in, "a", "b"})
		if o.BwLimit != want {
			t.Errorf("%q is %d, want %d", in, o.BwLimit, want)
		}
	}
	for _, in := range []string{"100b", "x", "-1", "1x"} {
		if _, err := Parse([]string{"--bwlimit=" + in, "a", "b"}); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}
