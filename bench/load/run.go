package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kith-project/kith/client"
)

// generator is a run.
type generator struct {
	Config
	name     string // of accounts, so that runs share none
	epoch    *served
	manifest *manifest // as it was before the run; nil if there was no snapshot
	pool     pool
	users    []*registration // by the index of the number
	joiners  []*registration // by the index of the number less Users

	slots    atomic.Int64  // of a bucket, as answered last
	joined   atomic.Int64  // how many joiners were taken
	accounts atomic.Uint64 // of new devices
	underWay atomic.Int64
	offered  atomic.Int64

	record *recorder
	checks *checks
}

// Run registers users, prepares contacts, and puts the load of c on the server. Errors are ErrConfig, ErrServer, that of ctx,
// and what kept it from preparing; what goes wrong under load is in the Result. Wrong answers there are no error here either.
func Run(ctx context.Context, c Config) (*Result, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	g := &generator{Config: c, name: "load-" + rand.Text()[:8], checks: new(checks)}
	g.makeRegistrations()
	g.newPool()
	g.record = newRecorder(time.Now(), time.Minute) // of what comes before, and is not looked at
	if err := g.readServer(ctx); err != nil {
		return nil, err
	}
	result := &Result{}
	err := g.phases(ctx, result)
	if c.Cleanup {
		// Also after an interruption: who was registered is to be removed.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
		defer cancel()
		g.record = newRecorder(time.Now(), time.Minute)
		err = errors.Join(err, g.removeUsers(clean))
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// phases is what comes between the first request and the removal of what was registered.
func (g *generator) phases(ctx context.Context, result *Result) error {
	began := time.Now()
	if err := g.registerUsers(ctx); err != nil {
		return fmt.Errorf("registering users: %w", err)
	}
	if err := g.Registered(); err != nil {
		return err
	}
	result.Prepared.Registered, result.Prepared.RegisterSeconds = g.Users, time.Since(began).Seconds()
	began = time.Now()
	if err := g.prepareContacts(ctx); err != nil {
		return fmt.Errorf("evaluating contacts: %w", err)
	}
	result.Prepared.Contacts, result.Prepared.PrepareSeconds = len(g.pool.everybody()), time.Since(began).Seconds()
	if err := g.readManifest(ctx); err != nil {
		return err
	}
	return g.load(ctx, result)
}

func (g *generator) makeRegistrations() {
	for i := range g.Users + g.Config.joiners() {
		r := &registration{label: labelOf(i)}
		if i < g.Users {
			g.users = append(g.users, r)
		} else {
			g.joiners = append(g.joiners, r)
		}
	}
}

// path returns the URL of a route of the epoch.
func (g *generator) path(route string) string {
	return g.Server + "/v1/epochs/" + strconv.FormatUint(uint64(g.epoch.id), 10) + "/" + route
}

// bucketSize is how long the answer for one prefix is, as far as that is known; otherwise 0.
func (g *generator) bucketSize(labels bool) int {
	one := 4
	if labels {
		one += matchSize
	}
	return int(g.slots.Load()) * one
}

// readServer asks for the directory.
func (g *generator) readServer(ctx context.Context) error {
	v := g.newVisit(0, time.Now())
	a, err := v.call(ctx, request{kind: KindDirectory, method: http.MethodGet, url: g.Server + "/v1/directory", accept: typeJSON})
	if err != nil {
		return err
	}
	g.epoch, err = readDirectory(a.body)
	return err
}

// readManifest asks for the snapshot as it is before the run. It returns ErrServer if there is none and devices are to use it.
func (g *generator) readManifest(ctx context.Context) error {
	if err := g.readServer(ctx); err != nil { // the modes may be more by now
		return err
	}
	if !slices.Contains(g.epoch.modes, client.ModeSnapshot) {
		if g.Modes.Snapshot > 0 {
			return fmt.Errorf("%w: it has no snapshot yet, which some of the devices are to use", ErrServer)
		}
		return nil
	}
	m, _, err := g.newVisit(0, time.Now()).requestManifest(ctx)
	g.manifest = m
	return err
}

// prepareContacts evaluates all contacts.
func (g *generator) prepareContacts(ctx context.Context) error {
	pages := slices.Collect(slices.Chunk(g.pool.everybody(), min(g.epoch.maxElements, 256)))
	return g.inParallel(ctx, StagePrepare, evaluators, len(pages), func(ctx context.Context, i int) error {
		v := g.newVisit(i, time.Now())
		v.account = g.name + "-before-" + strconv.Itoa(i)
		return v.prepare(ctx, pages[i])
	})
}

// load lets devices arrive by the schedule, waits for the last, and fills in the result.
func (g *generator) load(ctx context.Context, result *Result) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	g.record = newRecorder(began, g.Shape.Duration)
	samples := g.watch(working, began)
	var visits sync.WaitGroup
	if err := g.dispatch(ctx, working, began, &visits); err != nil {
		stop()
		visits.Wait()
		return err
	}
	drained := time.AfterFunc(g.Drain, stop)
	visits.Wait()
	drained.Stop()
	stop()
	result.fill(g, began, samples())
	return ctx.Err()
}

// dispatch begins visits at their moments, and returns after the last began or when ctx ends.
func (g *generator) dispatch(ctx, working context.Context, began time.Time, visits *sync.WaitGroup) error {
	n := 0
	for moment := range g.Shape.Arrivals(mathrand.New(mathrand.NewPCG(g.Seed, seedArrivals))) {
		scheduled := began.Add(moment)
		if pause(ctx, time.Until(scheduled)) != nil {
			return ctx.Err()
		}
		n++
		g.offered.Add(1)
		if g.underWay.Load() >= int64(g.MaxUnderWay) {
			g.refuse(scheduled)
			continue
		}
		g.underWay.Add(1)
		g.record.arrived(scheduled, time.Since(scheduled), true)
		v := g.newVisit(n, scheduled)
		visits.Go(func() {
			ok := v.run(working)
			g.underWay.Add(-1)
			g.record.visited(time.Now(), !ok)
		})
	}
	// The schedule ends with the duration, not with its last arrival.
	return pause(ctx, time.Until(began.Add(g.Shape.Duration)))
}

// seedArrivals is the second half of the seed of the schedule: that of no visit.
const seedArrivals = 1 << 63

// refuse counts an arrival that is not begun, as a request that failed after the time that requests may take: the device
// would have waited as long.
func (g *generator) refuse(scheduled time.Time) {
	g.record.arrived(scheduled, time.Since(scheduled), false)
	g.record.add(outcome{kind: KindDirectory, origin: scheduled, end: scheduled.Add(requestTimeout), reason: reasonNotBegun})
}

// watchInterval is how often the processes are looked at, and liveInterval how often progress is told.
const (
	watchInterval = time.Second
	liveInterval  = 500 * time.Millisecond
)

// watch looks at the processes and tells progress until ctx ends. The function that it returns waits for that, and returns what was
// seen.
func (g *generator) watch(ctx context.Context, began time.Time) func() []Sample {
	var samples []Sample
	var watching sync.WaitGroup
	watching.Go(func() {
		samples = append(samples, g.sample(began))
		ticker := time.NewTicker(watchInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				samples = append(samples, g.sample(began))
				return
			case <-ticker.C:
				samples = append(samples, g.sample(began))
			}
		}
	})
	watching.Go(func() {
		ticker := time.NewTicker(liveInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				g.Live(g.live(began))
			}
		}
	})
	return func() []Sample {
		watching.Wait()
		return samples
	}
}

// live returns how the run goes.
func (g *generator) live(began time.Time) Live {
	requests, failed, p99 := g.record.live()
	return Live{
		Elapsed: time.Since(began), Offered: int(g.offered.Load()), UnderWay: int(g.underWay.Load()), Requests: requests,
		Errors: failed, Wrong: g.checks.wrongSoFar(), P99: p99,
	}
}
