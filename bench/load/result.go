package load

import (
	"math"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/kith-project/kith/bench/meter"
)

// Result is what a run has measured. Its JSON names are those of kith bench load --json.
type Result struct {
	Began    time.Time     `json:"began"`
	Machine  meter.Machine `json:"machine"` // of the generator
	Target   string        `json:"target"`  // what was loaded, for people
	Settings Settings      `json:"settings"`
	Prepared Prepared      `json:"prepared"`

	Seconds  float64 `json:"seconds"`   // from the first moment of the schedule to the end of the last sync
	Offered  int     `json:"offered"`   // arrivals
	NotBegun int     `json:"not_begun"` // of them, since too many were under way

	Kinds   []KindResult `json:"kinds"` // all first, then those that there were
	Errors  []ErrorCount `json:"errors"`
	Checks  Checks       `json:"checks"`
	Windows []Window     `json:"windows"`
	Samples []Sample     `json:"samples"`
	Used    Used         `json:"used"`
	Late    Times        `json:"late"` // how late the generator was for arrivals
	SLO     []Verdict    `json:"slo"`
}

// Settings are those that a result depends on.
type Settings struct {
	Shape            Shape   `json:"shape"`
	Mix              Mix     `json:"mix"`
	Modes            Modes   `json:"modes"`
	Books            Books   `json:"books"`
	Users            int     `json:"users"`
	Pool             int     `json:"pool"`
	Precompute       bool    `json:"precompute"`
	Verify           float64 `json:"verify"`
	FreshConnections bool    `json:"fresh_connections"`
	Seed             uint64  `json:"seed"`
}

// Prepared is what was done before the load.
type Prepared struct {
	Registered      int     `json:"registered"`
	RegisterSeconds float64 `json:"register_seconds"` // until everything that follows registrations was done, too
	Contacts        int     `json:"contacts"`         // evaluated
	PrepareSeconds  float64 `json:"prepare_seconds"`
}

// KindResult is what was measured of one kind of request or sync.
type KindResult struct {
	Kind     Kind  `json:"kind"`
	Count    int   `json:"count"`
	Failed   int   `json:"failed"`
	Tries    int   `json:"tries"`
	Refusals int   `json:"refusals"` // tries that were answered 429 or 503
	Times    Times `json:"times"`
	// Curve is the distribution of times for plots.
	Curve []Quantile `json:"curve"`
}

// Times are quantiles of a distribution of times, in milliseconds.
type Times struct {
	Mean float64 `json:"mean_ms"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
}

// Quantile is a point of a distribution: that many percent took Ms or less.
type Quantile struct {
	Percent float64 `json:"percent"`
	Ms      float64 `json:"ms"`
}

// ErrorCount says how often a kind of request failed for a reason.
type ErrorCount struct {
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Window is what happened in one part of the run.
type Window struct {
	From     float64 `json:"from"`    // seconds since the beginning
	Seconds  float64 `json:"seconds"` // its length
	Offered  int     `json:"offered"` // arrivals
	Ended    int     `json:"ended"`   // syncs and registrations that ended, whatever how
	Failed   int     `json:"failed"`  // of them
	Requests int     `json:"requests"`
	P50      float64 `json:"p50_ms"` // of requests whose time began to count in it
	P99      float64 `json:"p99_ms"`
}

// Sample is what processes had used at a moment. What could not be read is 0.
type Sample struct {
	At          float64 `json:"at"`         // seconds since the beginning
	ServerCPU   float64 `json:"server_cpu"` // seconds since its start
	ServerRSS   int64   `json:"server_rss"` // bytes
	RedisCPU    float64 `json:"redis_cpu"`
	RedisMemory int64   `json:"redis_memory"`
	Generator   float64 `json:"generator_cpu"`
}

// Used is how many cores were busy on average while arrivals went on, and what memory there was at the end.
type Used struct {
	ServerCores    float64 `json:"server_cores"`
	RedisCores     float64 `json:"redis_cores"`
	GeneratorCores float64 `json:"generator_cores"`
	ServerRSS      int64   `json:"server_rss"`
	RedisMemory    int64   `json:"redis_memory"`
}

// sample looks at the processes.
func (g *generator) sample(began time.Time) Sample {
	s := Sample{At: time.Since(began).Seconds(), Generator: meter.Own().Seconds()}
	if g.ReadServer != nil {
		if m, err := g.ReadServer(); err == nil {
			s.ServerCPU, s.ServerRSS = m.CPU.Seconds(), m.RSS
		}
	}
	if g.ReadRedis != nil {
		if m, err := g.ReadRedis(); err == nil {
			s.RedisCPU, s.RedisMemory = m.CPU.Seconds(), m.Memory
		}
	}
	return s
}

// fill fills in what was measured.
func (r *Result) fill(g *generator, began time.Time, samples []Sample) {
	c := g.Config
	r.Began, r.Machine, r.Seconds = began, meter.ThisMachine(), time.Since(began).Seconds()
	r.Settings = Settings{c.Shape, c.Mix, c.Modes, c.Books, c.Users, c.Pool, c.Precompute, c.Verify, c.FreshConnections, c.Seed}
	r.Checks, r.Samples, r.Used = g.checks.finish(), samples, usedIn(samples, c.Shape.Duration)
	g.record.mu.Lock()
	defer g.record.mu.Unlock()
	r.Late, r.Errors = timesOf(g.record.late), []ErrorCount{}
	for _, kind := range allKinds {
		if s := g.record.kinds[kind]; kind == KindAll || s.times.TotalCount() > 0 {
			r.Kinds = append(r.Kinds, s.result(kind))
		}
		for reason, n := range g.record.errors[kind] {
			if kind != KindAll {
				r.Errors = append(r.Errors, ErrorCount{kind, reason, n})
			}
		}
	}
	sortErrors(r.Errors)
	for i, w := range g.record.windows {
		r.Windows = append(r.Windows, w.result(i, g.record.window))
		r.Offered += w.offered
		r.NotBegun += w.offered - w.begun
	}
}

func (w *windowCount) result(i int, length time.Duration) Window {
	return Window{
		From: (time.Duration(i) * length).Seconds(), Seconds: length.Seconds(), Offered: w.offered, Ended: w.ended, Failed: w.failed, Requests: w.requests,
		P50: ms(w.times.ValueAtQuantile(50)), P99: ms(w.times.ValueAtQuantile(99)),
	}
}

func (s *series) result(kind Kind) KindResult {
	r := KindResult{Kind: kind, Count: int(s.times.TotalCount()), Failed: s.failed, Tries: s.tries, Refusals: s.refusals, Times: timesOf(s.times)}
	// From 0 % on in steps that grow finer: 0, 5 ... 90, 91 ... 99, 99.1 ... as far as there are requests to tell.
	for distance := 100.0; r.Count > 0 && distance >= 100/float64(r.Count); distance /= math.Pow(10, 1.0/8) {
		percent := 100 - distance
		r.Curve = append(r.Curve, Quantile{percent, ms(s.times.ValueAtQuantile(percent))})
	}
	return r
}

// ms is a time in microseconds in milliseconds.
func ms(us int64) float64 { return float64(us) / 1000 }

func timesOf(h *hdr.Histogram) Times {
	return Times{
		Mean: h.Mean() / 1000, P50: ms(h.ValueAtQuantile(50)), P90: ms(h.ValueAtQuantile(90)), P99: ms(h.ValueAtQuantile(99)),
		P999: ms(h.ValueAtQuantile(99.9)), Max: ms(h.Max()),
	}
}

// usedIn returns what was used between the first sample and the last in the duration of the schedule.
func usedIn(samples []Sample, duration time.Duration) Used {
	if len(samples) < 2 {
		return Used{}
	}
	first, last := samples[0], samples[len(samples)-1]
	for _, s := range samples[1:] {
		if s.At <= duration.Seconds()+watchInterval.Seconds()/2 {
			last = s
		}
	}
	if last.At <= first.At { // all others came later
		last = samples[1]
	}
	seconds := last.At - first.At
	cores := func(of func(Sample) float64) float64 {
		if of(first) == 0 || of(last) < of(first) {
			return 0 // not read
		}
		return (of(last) - of(first)) / seconds
	}
	return Used{
		ServerCores:    cores(func(s Sample) float64 { return s.ServerCPU }),
		RedisCores:     cores(func(s Sample) float64 { return s.RedisCPU }),
		GeneratorCores: cores(func(s Sample) float64 { return s.Generator }),
		ServerRSS:      last.ServerRSS, RedisMemory: last.RedisMemory,
	}
}

// Kind returns what was measured of a kind, nothing if there was none of it.
func (r *Result) Kind(kind Kind) KindResult {
	for _, k := range r.Kinds {
		if k.Kind == kind {
			return k
		}
	}
	return KindResult{Kind: kind}
}

// Throughput is how many syncs and registrations ended well, a second, while arrivals went on.
func (r *Result) Throughput() float64 {
	ended, seconds := 0, 0.0
	for _, w := range r.Windows {
		if w.From+w.Seconds <= r.Settings.Shape.Duration.Seconds()+1e-9 {
			ended += w.Ended - w.Failed
			seconds += w.Seconds
		}
	}
	if seconds == 0 {
		return 0
	}
	return float64(ended) / seconds
}
