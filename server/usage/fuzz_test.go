package usage

import (
	"math"
	"testing"
)

// FuzzParseTotals has any field beside a good one: it is passed over, or a total of its epoch, and the good one is read.
func FuzzParseTotals(f *testing.F) {
	for _, seed := range [][2]string{
		{"e2", "7"}, {"e02", "7"}, {"e4294967296", "7"}, {"e2", "9223372036854775808"}, {"e2", "-1"}, {"", ""}, {"2", "7"}, {"e2", "1e3"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, field, value string) {
		const good = math.MaxUint32
		totals := parseTotals(map[string]string{field: value, epochField(good): "5"})
		if totals[good] != 5 {
			t.Errorf("the good total is %d, want 5", totals[good])
		}
		for epoch, total := range totals {
			if epoch != good && epochField(epoch) != field || total < 0 {
				t.Errorf("%q, %q became %d of epoch %d", field, value, total, epoch)
			}
		}
		if len(totals) > 2 {
			t.Errorf("got %v", totals)
		}
	})
}
