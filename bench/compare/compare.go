package compare

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/crypto/ristretto"
)

// Kith is the name of the work that all other is compared with, for each number of contacts.
const Kith = "kith"

// Result is a comparison.
type Result struct {
	Machine meter.Machine `json:"machine"`
	Engine  string        `json:"engine"`
	Rounds  int           `json:"rounds"`
	Rows    []Row         `json:"rows"`
}

// Row is one work. Times are in µs of processor time a contact, medians over the rounds.
type Row struct {
	Name     string  `json:"name"`
	Contacts int     `json:"contacts"` // of a request
	Server   float64 `json:"server_us"`
	Store    float64 `json:"store_us"`
	// PerSecond is how many contacts a second were done, by the clock, in the median: on a machine with few cores the sender and
	// Redis take their part.
	PerSecond float64 `json:"contacts_per_second"`
	// Ratio is the time of server and store together divided by Kith's for requests of this size: above 1 where Kith
	// takes less.
	Ratio Spread `json:"ratio"`
}

// Spread is the median of the rounds, with the least and the most.
type Spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// Run gives each work a turn in each round. It calls progress after each. Its error is that of a work.
func Run(ctx context.Context, works []Work, rounds int, turn time.Duration, progress func(done, of int)) (*Result, error) {
	for _, w := range works { // connections, memory and caches
		if _, err := w.Turn(ctx, turn/4); err != nil {
			return nil, err
		}
	}
	samples := make([][]Sample, len(works))
	for round := range rounds {
		for i := range works {
			which := (i + round) % len(works)
			if round%2 == 1 {
				which = len(works) - 1 - which
			}
			s, err := works[which].Turn(ctx, turn)
			if err != nil {
				return nil, err
			}
			samples[which] = append(samples[which], s)
			progress(round*len(works)+i+1, rounds*len(works))
		}
	}
	r := &Result{Machine: meter.ThisMachine(), Engine: ristretto.Engine(), Rounds: rounds}
	for i, w := range works {
		r.Rows = append(r.Rows, row(w, samples[i], samples[ours(works, w.Contacts)]))
	}
	return r, nil
}

// ours returns which work is Kith's for requests of so many contacts.
func ours(works []Work, contacts int) int {
	return slices.IndexFunc(works, func(w Work) bool { return w.Name == Kith && w.Contacts == contacts })
}

func row(w Work, own, kith []Sample) Row {
	var server, store, perSecond, ratios []float64
	for i, s := range own {
		server, store = append(server, s.perContact(s.Server)), append(store, s.perContact(s.Store))
		perSecond = append(perSecond, float64(s.Contacts)/s.Time.Seconds())
		ratios = append(ratios, s.perContact(s.Server+s.Store)/kith[i].perContact(kith[i].Server+kith[i].Store))
	}
	return Row{
		Name: w.Name, Contacts: w.Contacts, Server: median(server), Store: median(store), PerSecond: math.Round(median(perSecond)),
		Ratio: Spread{median(ratios), round(slices.Min(ratios)), round(slices.Max(ratios))},
	}
}

// median returns the middle value, to three decimals.
func median(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	n := len(sorted)
	return round((sorted[(n-1)/2] + sorted[n/2]) / 2)
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// Row returns the row of a work, or false.
func (r *Result) Row(name string, contacts int) (Row, bool) {
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name && row.Contacts == contacts })
	if i < 0 {
		return Row{}, false
	}
	return r.Rows[i], true
}

// Kept returns which part of the engine's rate Kith keeps over HTTP: the time of the engine alone divided by that of the server's
// process. It is 0 if either was not measured.
func (r *Result) Kept(contacts int) float64 {
	engine, found := r.Row(Engine, contacts)
	kith, found2 := r.Row(Kith, contacts)
	if !found || !found2 {
		return 0
	}
	return round(engine.Server / kith.Server)
}

// Engine is the name of the engine alone.
const Engine = "engine"
