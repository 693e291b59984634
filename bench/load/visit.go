package load

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/kith-project/kith/client"
)

// visit is one arrival: a device that syncs, or a registration.
type visit struct {
	g         *generator
	dice      *rand.Rand
	scheduled time.Time // when it was to begin
	called    bool      // once the first request was sent
	account   string
	mode      client.Mode
	verify    bool // all answers are checked
	metered   http.RoundTripper
	lookups   http.RoundTripper
}

// newVisit returns the n-th visit of a run, whose dice follow from n and the seed alone.
func (g *generator) newVisit(n int, scheduled time.Time) *visit {
	v := &visit{
		g: g, dice: rand.New(rand.NewPCG(g.Seed, uint64(n))), scheduled: scheduled, metered: g.Devices, lookups: g.Lookups,
	}
	v.mode = g.Modes.mode(v.dice.Float64())
	v.verify = v.dice.Float64() < g.Verify
	return v
}

// via returns what sends a kind of request. Lookups share no connection with what is sent under an account.
func (v *visit) via(kind Kind) http.RoundTripper {
	switch kind {
	case KindDirectory, KindKeyLog, KindEvaluations:
		return v.metered
	case KindRegister, KindUnregister:
		return v.g.AccountService
	default:
		return v.lookups
	}
}

// run is what happens at an arrival. It reports whether that succeeded.
func (v *visit) run(ctx context.Context) bool {
	switch x := v.dice.Float64(); {
	case x < v.g.Mix.Registrations:
		return v.writeRegistration(ctx) == nil
	case x < v.g.Mix.Registrations+v.g.Mix.First:
		return v.sync(ctx, KindFirstSync)
	default:
		return v.sync(ctx, KindDailySync)
	}
}

// sync records what a device does as one.
func (v *visit) sync(ctx context.Context, kind Kind) bool {
	if v.verify {
		v.g.checks.count(func(c *Checks) { c.Devices++ })
	}
	defer v.connect()()
	var err error
	if kind == KindFirstSync {
		err = v.firstSync(ctx)
	} else {
		err = v.dailySync(ctx)
	}
	o := outcome{kind: kind, origin: v.scheduled, end: time.Now(), tries: 1}
	if failed, ok := err.(*failure); ok {
		o.reason = failed.reason
	} else if err != nil {
		o.reason = reasonGenerator
	}
	v.g.record.add(o)
	return err == nil
}

// reasonGenerator is a sync that failed for a reason of the generator's own: no token could be had, say.
const reasonGenerator = "generator"

// connect gives a device connections of its own if that is asked for, and returns what closes them.
func (v *visit) connect() func() {
	metered, ok := v.metered.(*http.Transport)
	lookups, also := v.lookups.(*http.Transport)
	if !v.g.FreshConnections || !ok || !also {
		return func() {}
	}
	metered, lookups = metered.Clone(), lookups.Clone()
	v.metered, v.lookups = metered, lookups
	return func() {
		metered.CloseIdleConnections()
		lookups.CloseIdleConnections()
	}
}

// firstSync is the sync of a new device: all of its address book is evaluated, looked up, and the labels of hits fetched.
func (v *visit) firstSync(ctx context.Context) error {
	v.account = v.g.name + "-new-" + strconv.FormatUint(v.g.accounts.Add(1), 36)
	book := v.g.pool.book(v.dice, v.g.Books.size(v.dice), v.g.Books.overlap(v.dice))
	if err := v.begin(ctx); err != nil {
		return err
	}
	if err := v.evaluate(ctx, book); err != nil {
		return err
	}
	switch v.mode {
	case client.ModeExact:
		return v.lookUpExact(ctx, book)
	case client.ModeBucket:
		since, err := v.feedPosition(ctx)
		if err != nil {
			return err
		}
		asked, hits, err := v.lookUpBuckets(ctx, book)
		if err != nil {
			return err
		}
		if err := v.follow(ctx, since); err != nil {
			return err
		}
		return v.fetchLabels(ctx, hits, asked)
	default:
		hits, err := v.lookUpSnapshot(ctx, book)
		if err != nil {
			return err
		}
		return v.fetchLabels(ctx, hits, nil)
	}
}

// dailySync is the sync of a known device: what is new in its address book is evaluated, and news are looked for as the mode
// does that.
func (v *visit) dailySync(ctx context.Context) error {
	v.account = v.g.name + "-known-" + strconv.FormatUint(v.dice.Uint64N(knownAccounts), 36)
	book := v.g.pool.book(v.dice, v.g.Books.size(v.dice), v.g.Books.overlap(v.dice))
	added := v.g.pool.book(v.dice, v.g.Books.added(v.dice), v.g.Books.overlap(v.dice))
	if err := v.begin(ctx); err != nil {
		return err
	}
	if err := v.evaluate(ctx, added); err != nil {
		return err
	}
	switch v.mode {
	case client.ModeExact:
		return v.lookUpExact(ctx, union(book, added))
	case client.ModeBucket:
		return v.dailyBuckets(ctx, book, added)
	default:
		return v.dailySnapshot(ctx, union(book, added), added)
	}
}

// knownAccounts is how many accounts known devices have.
const knownAccounts = 10_000

// union returns book with those of added that it has not.
func union(book, added []*contact) []*contact {
	for _, c := range added {
		if !slices.Contains(book, c) {
			book = append(book, c)
		}
	}
	return book
}

// begin asks for the directory and the log of public keys.
func (v *visit) begin(ctx context.Context) error {
	a, err := v.call(ctx, request{kind: KindDirectory, method: http.MethodGet, url: v.g.Server + "/v1/directory", accept: typeJSON})
	if err != nil {
		return err
	}
	if !v.g.epoch.stillServed(a.body) {
		return v.g.checks.wrong(KindDirectory, whatEpoch)
	}
	_, err = v.call(ctx, request{kind: KindKeyLog, method: http.MethodGet, url: v.g.Server + "/v1/keylog", accept: typeJSON})
	return err
}

// feedPosition is where a new device begins to follow the feed of changes, "" if there is none.
func (v *visit) feedPosition(ctx context.Context) (string, error) {
	if v.g.manifest == nil {
		return "", nil
	}
	m, _, err := v.requestManifest(ctx)
	if err != nil {
		return "", err
	}
	return m.ChangesSince, nil
}

// follow reads the feed of changes from a position on, if there is one.
func (v *visit) follow(ctx context.Context, since string) error {
	if since == "" {
		return nil
	}
	_, _, err := v.readChanges(ctx, since)
	return err
}

// dailyBuckets asks for what is new, and follows the feed from where it was before the run. Without a feed all is asked again.
func (v *visit) dailyBuckets(ctx context.Context, book, added []*contact) error {
	if v.g.manifest == nil {
		book = union(book, added)
		_, _, err := v.lookUpBuckets(ctx, book)
		return err
	}
	asked, hits, err := v.lookUpBuckets(ctx, added)
	if err != nil {
		return err
	}
	if err := v.follow(ctx, v.g.manifest.ChangesSince); err != nil {
		return err
	}
	return v.fetchLabels(ctx, hits, asked)
}

// dailySnapshot fetches the snapshot anew if that of yesterday has expired, and follows the feed otherwise.
func (v *visit) dailySnapshot(ctx context.Context, book, added []*contact) error {
	if v.g.manifest != nil && time.Duration(v.g.manifest.MaxAge)*time.Second > aDay {
		if err := v.follow(ctx, v.g.manifest.ChangesSince); err != nil {
			return err
		}
		return v.fetchLabels(ctx, likelyHits(added), nil)
	}
	hits, err := v.lookUpSnapshot(ctx, book)
	if err != nil {
		return err
	}
	return v.fetchLabels(ctx, intersection(hits, added), nil)
}

// intersection returns those of hits who are among added.
func intersection(hits, added []*contact) (both []*contact) {
	for _, c := range hits {
		if slices.Contains(added, c) {
			both = append(both, c)
		}
	}
	return both
}
