package engine

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// keys are those that design and documents name.
var keys = []string{"evaluate", "prove_1024", "prove_16", "prove_1", "client_1000"}

func TestRun(t *testing.T) {
	r, err := Run(t.Context(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Ratio) != len(keys) {
		t.Errorf("%d ratios, want %d", len(r.Ratio), len(keys))
	}
	for _, key := range keys {
		if r.Rounds[key] < 1 || r.Circl[key] <= 0 || r.Kith[key] <= 0 {
			t.Errorf("%s: %d rounds, %v and %v µs", key, r.Rounds[key], r.Circl[key], r.Kith[key])
		}
		if spread := r.Quartiles[key]; r.Rounds[key] > 2 && (spread[0] > spread[1]) {
			t.Errorf("%s: quartiles %v", key, spread)
		}
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{`"engine":"` + r.Engine + `"`, `"cpu":"`, `"circl_us":{`, `"kith_us":{`, `"ratio":{`} {
		if !strings.Contains(string(encoded), member) {
			t.Errorf("no %s in %s", member, encoded)
		}
	}
	if lines := strings.Count(r.Report(), "\n"); lines != 3+len(keys) {
		t.Errorf("%d lines of report, want %d:\n%s", lines, 3+len(keys), r.Report())
	}
}

// TestDifferencesAreFound has one of the two compute something else.
func TestDifferencesAreFound(t *testing.T) {
	fresh := func() *fixture {
		f, err := newFixture()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f, other := fresh(), fresh()
	f.circl = other.circl
	if err := f.check(); err != ErrDiffer {
		t.Errorf("check with another key of circl's: got %v, want ErrDiffer", err)
	}
	if err := f.checkProofs(f.blinded[:32]); err != ErrDiffer {
		t.Errorf("checkProofs with another key of circl's: got %v, want ErrDiffer", err)
	}
	if _, err := f.circlClient(); err == nil {
		t.Error("circl's client accepts the proof of another key")
	}
	if err := other.agree([][]byte{{1}, {2}}); err != nil {
		t.Fatal(err)
	}
	if err := other.agree([][]byte{{1}, {3}}); err != ErrDiffer {
		t.Errorf("agree on another output: got %v, want ErrDiffer", err)
	}
}

// TestTurns looks at who gets them: each contender of a duel one after the other, and each duel by its share.
func TestTurns(t *testing.T) {
	var order []string
	contend := func(name string, took time.Duration) contender {
		return func() (time.Duration, error) { order = append(order, name); return took, nil }
	}
	d := &duel{by: [2]contender{contend("circl", 3*time.Microsecond), contend("kith", time.Microsecond)}}
	for range 2 {
		if err := d.round(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"circl", "kith", "kith", "circl"}; !slices.Equal(order, want) {
		t.Errorf("turns %v, want %v", order, want)
	}
	if !slices.Equal(d.circl, []float64{3, 3}) || !slices.Equal(d.kith, []float64{1, 1}) {
		t.Errorf("times %v and %v, want 3, 3 and 1, 1", d.circl, d.kith)
	}
	for _, c := range []struct {
		spent [2]time.Duration
		want  int
	}{{[2]time.Duration{}, 0}, {[2]time.Duration{1, 0}, 1}, {[2]time.Duration{2, 5}, 0}, {[2]time.Duration{2, 3}, 1}} {
		duels := []*duel{{share: 0.3, spent: c.spent[0]}, {share: 0.6, spent: c.spent[1]}}
		if got := next(duels); got != duels[c.want] {
			t.Errorf("after %v: not duel %d", c.spent, c.want)
		}
	}
	failure := errors.New("failure")
	failing := &duel{by: [2]contender{func() (time.Duration, error) { return 0, failure }, contend("kith", 1)}}
	if err := failing.round(); err != failure {
		t.Errorf("a contender that fails: got %v", err)
	}
}

func TestQuantile(t *testing.T) {
	x := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 1: 5} {
		if got := quantile(x, q); got != want {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	if x[0] != 5 {
		t.Error("quantile changed the order")
	}
}
