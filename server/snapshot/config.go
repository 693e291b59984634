package snapshot

import "time"

// The settings that a Config of zeros stands for.
const (
	DefaultInterval     = 6 * time.Hour
	DefaultGrace        = 2 * time.Hour
	DefaultChangesEvery = 10 * time.Second
	DefaultKeepChanges  = 7 * 24 * time.Hour
	DefaultMaxSegments  = 100_000
	DefaultLease        = 30 * time.Second
)

// Config holds the settings of a Builder. The zero value is usable. None can change at run time. Every server should have
// the same: those of the one that builds hold.
type Config struct {
	// Interval is how long after the beginning of a build the next one begins. 0 means DefaultInterval.
	Interval time.Duration
	// MaxAge is how long after its build began a set may be used, at most: a user who is hidden is in no set by then. It
	// must be longer than Interval, and should be longer by the time that a build takes. 0 means twice the Interval.
	MaxAge time.Duration
	// Grace is how long shards are kept after no manifest can list them any more, for devices that are downloading.
	// 0 means DefaultGrace.
	Grace time.Duration
	// ChangesEvery is how often changes are gathered into a segment, and how soon after a failure the work is tried
	// again. 0 means DefaultChangesEvery.
	ChangesEvery time.Duration
	// KeepChanges is how long segments of the feed are kept. 0 means DefaultKeepChanges.
	KeepChanges time.Duration
	// MaxSegments is how many segments are kept at most. 0 means DefaultMaxSegments.
	MaxSegments int
	// Lease is how long a builder that has stopped silently keeps others from building. 0 means DefaultLease.
	Lease time.Duration

	// OnProgress is called at the beginning of a build and after each shard, for a metric. If nil, nobody is told.
	OnProgress func(Progress)
	// OnBuilt is called after a set was published, for a log line. If nil, nobody is told.
	OnBuilt func(Manifest)
	// OnCorrupt is called when what a builder has stored of a feed, a build or a manifest can not be read, and is begun anew. If
	// nil, nobody is told. Records that are malformed are told by Progress.
	OnCorrupt func(records int)
	// OnError is called with what kept a builder from working: ErrUnavailable, ErrLease, or an error of package directory,
	// whose ErrIncomplete means that nothing can be built. Its text contains no tags, keys or addresses. If nil, nobody
	// is told.
	OnError func(error)
}

// Progress is how far a build has come. The functions of a Config are called by the goroutine of Run.
type Progress struct {
	// Shards is the number of finished shards, of Total.
	Shards, Total int
	// Keys is the number of tags in them.
	Keys int64
	// Malformed is the number of records that were left out because they are malformed.
	Malformed int
	// Resumed says that another builder had begun the build, or this one before a failure.
	Resumed bool
}

// withDefaults returns the settings with those of zeros filled in, or ErrConfig.
func (c Config) withDefaults() (Config, error) {
	for _, setting := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.Interval, DefaultInterval},
		{&c.Grace, DefaultGrace},
		{&c.ChangesEvery, DefaultChangesEvery},
		{&c.KeepChanges, DefaultKeepChanges},
		{&c.Lease, DefaultLease},
	} {
		if *setting.value == 0 {
			*setting.value = setting.standard
		}
		// Redis counts expiry in ms, and the lease is renewed after a third of it.
		if *setting.value < 3*time.Millisecond {
			return Config{}, ErrConfig
		}
	}
	if c.MaxAge == 0 {
		c.MaxAge = 2 * c.Interval
	}
	if c.MaxSegments == 0 {
		c.MaxSegments = DefaultMaxSegments
	}
	// A manifest states its maximum age in whole seconds.
	if c.MaxAge <= c.Interval || c.MaxAge < time.Second || c.MaxSegments < 0 {
		return Config{}, ErrConfig
	}
	c.MaxAge = c.MaxAge.Truncate(time.Second)
	if c.OnProgress == nil {
		c.OnProgress = func(Progress) {}
	}
	if c.OnBuilt == nil {
		c.OnBuilt = func(Manifest) {}
	}
	if c.OnCorrupt == nil {
		c.OnCorrupt = func(int) {}
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return c, nil
}
