package guard

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/engine"
)

func TestLoss(t *testing.T) {
	for _, tt := range []struct {
		kept, measured float64
		lost           bool
	}{
		{10, 8.9, true}, {10, 9.01, false}, {10, 10, false}, {10, 15, false},
		{10, 0, true}, // not measured
		{0, 10, false},
	} {
		c := Change{Kept: tt.kept, Measured: tt.measured}
		if c.Lost() != tt.lost {
			t.Errorf("%g in place of %g: lost %t, want %t", tt.measured, tt.kept, c.Lost(), tt.lost)
		}
	}
}

func TestChanges(t *testing.T) {
	kept := Ratios{"evaluate": 12, "prove_1": 2, "gone": 3}
	measured := Ratios{"evaluate": 10, "prove_1": 2.2, "new": 1}
	changes := Changes(kept, measured)
	want := []Change{{"evaluate", 12, 10}, {"gone", 3, 0}, {"new", 0, 1}, {"prove_1", 2, 2.2}}
	if !slices.Equal(changes, want) {
		t.Errorf("got %v, want %v", changes, want)
	}
	if lost := Lost(changes); !slices.Equal(lost, []string{"evaluate", "gone"}) {
		t.Errorf("lost %v", lost)
	}
	table := Table(changes)
	for _, line := range []string{"evaluate                 12.00     10.00    -16.7%  lost\n", "missing\n", "new\n", "10.0%\n"} {
		if !strings.Contains(table, line) {
			t.Errorf("no %q in\n%s", line, table)
		}
	}
	if first := Changes(nil, measured); len(first) != 3 || Lost(first) != nil {
		t.Errorf("where nothing is kept: got %v", first)
	}
	// A second measurement that is better counts.
	if lost := Lost(Changes(kept, Best(measured, Ratios{"evaluate": 11.5, "gone": 2.9, "prove_1": 1}))); lost != nil {
		t.Errorf("with a better second: lost %v", lost)
	}
}

func TestOf(t *testing.T) {
	e := &engine.Result{Ratio: map[string]float64{"evaluate": 12, "prove_1024": 20}}
	row := func(name string, server, ratio float64) compare.Row {
		return compare.Row{Name: name, Contacts: 16, Server: server, Ratio: compare.Spread{Median: ratio}}
	}
	c := &compare.Result{Rows: []compare.Row{
		row(compare.Engine, 7, 0.7), row(compare.Kith, 10, 1), row(compare.KithJSON, 12, 1.25), row(compare.Circl, 140, 14), row(compare.Hashed, 1, 0.1),
	}}
	want := Ratios{"evaluate": 12, "prove_1024": 20, "http_kept_16": 0.7, "http_json_16": 0.8, "http_circl_16": 14}
	if got := Of(e, c); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Of(e, nil); !maps.Equal(got, Ratios(e.Ratio)) {
		t.Errorf("without servers: got %v", got)
	}
	if len(e.Ratio) != 2 {
		t.Error("the result was changed")
	}
}

func TestParse(t *testing.T) {
	f := Figures{"ifma": {CPU: "one", Go: "go1.26", Date: "2026-11-25", Ratios: Ratios{"evaluate": 12.55}}}
	if got, err := Parse(f.Marshal()); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "[]", `{"ifma":{"ratios":{"evaluate":"12"}}}`, `{"ifma":{"ratios":{"evaluate":0}}}`, `{"ifma":{"ratios":{"evaluate":-1}}}`} {
		if _, err := Parse([]byte(bad)); err != ErrFigures {
			t.Errorf("%q: got %v, want ErrFigures", bad, err)
		}
	}
}
