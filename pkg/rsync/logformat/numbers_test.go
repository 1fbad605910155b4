package logformat

import (
	"math"
	"testing"
)

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		n     int64
		level int
		want  string
	}{
		{1234567, 0, "1,234,567"}, {1234567, -1, "1234567"}, {999, 1, "999"}, {1000, 1, "1.00K"}, {1024, 2, "1.00K"}, {1023, 2, "1,023"},
		{1_500_000, 1, "1.50M"}, {1_500_000, 2, "1.43M"}, {1_500_000, 3, "1.43M"}, {3 << 40, 2, "3.00T"}, {-1500, 1, "-1.50K"}, {0, 1, "0"},
	} {
		if got := Number(c.n, c.level); got != c.want {
			t.Errorf("Number(%d, %d) = %q, want %q", c.n, c.level, got, c.want)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		f     float64
		level int
		want  string
	}{
		{1234567.125, 0, "1,234,567.12"}, {1234.5, -1, "1234.50"}, {999.999, 1, "1,000.00"}, {-1234, 0, "-1,234.00"}, {1500, 1, "1.50K"}, {math.Inf(1), 0, "+Inf"},
	} {
		if got := Decimal(c.f, c.level); got != c.want {
			t.Errorf("Decimal(%g, %d) = %q, want %q", c.f, c.level, got, c.want)
		}
	}
}
