package engine

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/crypto/ristretto"
)

// ErrDiffer means that the two do not return the same, so that their times say nothing.
var ErrDiffer = errors.New("bench: results differ from circl's")

// Result is a comparison. Times are in µs an element, and a ratio is circl's time divided by Kith's.
type Result struct {
	Engine string             `json:"engine"` // ifma or portable
	CPU    string             `json:"cpu"`
	Go     string             `json:"go"`
	Circl  map[string]float64 `json:"circl_us"`
	Kith   map[string]float64 `json:"kith_us"`
	Ratio  map[string]float64 `json:"ratio"`
	// Quartiles are the first and the third of the ratios of single turns.
	Quartiles map[string][2]float64 `json:"ratio_quartiles"`
	Rounds    map[string]int        `json:"rounds"`
}

// Run compares for about as long as given, which is what two calls of each duel take at least, and then some. It returns ErrDiffer, or
// the error of the context.
func Run(ctx context.Context, length time.Duration) (*Result, error) {
	// One core, and not one thread: with the goroutine locked to its thread each call of Kith's took some 140 µs longer, most likely
	// because each runtime.Gosched, by which batches let others run, hands the core to another thread and back. A server's is not.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f, err := newFixture()
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	duels := f.duels()
	for end := time.Now().Add(length); ; {
		d := next(duels)
		if err := d.round(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if left := next(duels); left.spent > 0 && time.Now().Add(left.spent/time.Duration(len(left.kith))).After(end) {
			return result(duels), nil
		}
	}
}

func result(duels []*duel) *Result {
	machine := meter.ThisMachine()
	r := &Result{
		Engine: ristretto.Engine(), CPU: machine.CPU, Go: machine.Go,
		Circl: map[string]float64{}, Kith: map[string]float64{}, Ratio: map[string]float64{}, Quartiles: map[string][2]float64{}, Rounds: map[string]int{},
	}
	for _, d := range duels {
		circl, kith := quantile(d.circl, 0.5), quantile(d.kith, 0.5)
		ratios := make([]float64, len(d.circl))
		for i := range ratios {
			ratios[i] = d.circl[i] / d.kith[i]
		}
		r.Circl[d.name], r.Kith[d.name], r.Ratio[d.name] = round(circl/float64(d.elements)), round(kith/float64(d.elements)), round(circl/kith)
		r.Quartiles[d.name] = [2]float64{round(quantile(ratios, 0.25)), round(quantile(ratios, 0.75))}
		r.Rounds[d.name] = len(ratios)
	}
	return r
}
