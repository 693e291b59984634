package bucket

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// ErrBehind means that memory does not know the present state of a bucket: it has not been read yet, or the last word from
// Redis is older than Config.MaxAge. Redis has to be asked.
var ErrBehind = errors.New("bucket: memory is behind")

// Defaults of a Config.
const (
	DefaultPollEvery   = 250 * time.Millisecond
	DefaultMaxAge      = time.Second
	DefaultRescanEvery = time.Hour
)

// maxViewPartitionBits bounds the partitions of a View, which asks for all of them at each poll.
const maxViewPartitionBits = 16

// Store is what a View needs of the directory.
type Store interface {
	Buckets(ctx context.Context, layout directory.Layout, buckets []uint32) ([][]directory.Match, error)
	Changes(ctx context.Context, layout directory.Layout, after []directory.Position) ([]directory.Changes, error)
	Position(ctx context.Context, layout directory.Layout, partition uint32) (directory.Position, error)
}

// Config holds the settings of a View. The zero value is usable. None can change at run time. Hooks may be nil, may be
// called concurrently, and must not block.
type Config struct {
	// PollEvery is the pause between two looks at the changes of all partitions. 0 means DefaultPollEvery.
	PollEvery time.Duration
	// MaxAge is how old the last word from Redis may be for an answer from memory, and so how long somebody can be found
	// after being hidden. 0 means DefaultMaxAge. The client's ReadTimeout should be below it: a node of a cluster that
	// hangs holds up the poll of the others until then.
	MaxAge time.Duration
	// RescanEvery is the time in which all partitions are read again, one after the other, which heals what a failover
	// rolled back unseen. 0 means DefaultRescanEvery.
	RescanEvery time.Duration
	// Now returns the time. nil means time.Now.
	Now func() time.Time
	// OnFull is called after each poll while a bucket has more registrations than slots, with the number of the fullest.
	// The slots are to be raised as FullError says.
	OnFull func(registrations int)
	// OnError is called with the errors that Run meets and goes on after, for a log. They tell no tags, keys or addresses.
	OnError func(err error)
	// OnLookup is called after each answered Lookup with the number of buckets from memory and from Redis, for metrics.
	OnLookup func(memory, store int)
}

// View holds one epoch's short tags in memory, padded, and follows their changes while Run runs. Its methods may be called
// concurrently.
//
// It takes 19.1 bytes a registration at 50 a bucket and 96 slots of 5 bytes: 8 for the key, 9.6 for the padded answer, the
// rest for headers and room (BenchmarkMemory, Go 1.26). The answers take the same for an epoch without users.
type View struct {
	store  Store
	layout directory.Layout
	padder *padder
	config Config

	format     atomic.Pointer[Format]
	partitions []partition
	wake       chan struct{} // holds an element when partitions are to be read, or made anew in another format
}

// partition is what a View knows of one partition.
type partition struct {
	mu      sync.RWMutex
	table   *table    // nil if it has to be read first
	current time.Time // when the table was last known to be all there is
	written time.Time // when this server last wrote to the partition, see Wrote
}

// answered notes that the table was all there was when Redis was asked. The caller has locked p.
func (p *partition) answered(asked time.Time) {
	if asked.After(p.current) && asked.After(p.written) {
		p.current = asked
	}
}

// NewView returns a view of the epoch with the layout. It knows nothing until Run runs. It returns ErrFormat if the format
// is invalid or is of another number of bits than the layout's buckets, and directory.ErrLayout for an invalid layout or
// one of more than 2^16 partitions.
func NewView(store Store, layout directory.Layout, key FillKey, f Format, config Config) (*View, error) {
	if err := layout.Validate(); err != nil {
		return nil, err
	}
	if layout.PartitionBits > maxViewPartitionBits {
		return nil, directory.ErrLayout
	}
	if config.PollEvery <= 0 {
		config.PollEvery = DefaultPollEvery
	}
	if config.MaxAge <= 0 {
		config.MaxAge = DefaultMaxAge
	}
	if config.RescanEvery <= 0 {
		config.RescanEvery = DefaultRescanEvery
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	v := &View{
		store: store, layout: layout, padder: newPadder(key), config: config,
		partitions: make([]partition, layout.Partitions()), wake: make(chan struct{}, 1),
	}
	if err := v.SetFormat(f); err != nil {
		return nil, err
	}
	return v, nil
}

// Format returns the format of answers.
func (v *View) Format() Format { return *v.format.Load() }

// SetFormat changes the format of answers, at once: until Run has made them anew they are padded when asked for. It returns
// ErrFormat as NewView does, and changes nothing then.
func (v *View) SetFormat(f Format) error {
	if f.Validate() != nil || f.Bits != int(v.layout.BucketBits) {
		return ErrFormat
	}
	v.format.Store(&f)
	v.wakeUp()
	return nil
}

// wakeUp has Run look for partitions to read.
func (v *View) wakeUp() {
	select {
	case v.wake <- struct{}{}:
	default: // it has not yet looked since the last time
	}
}

// Append appends the short tags of one bucket to dst, Format().Size() bytes, and returns the result. It returns dst as it
// was with ErrBehind, with a *FullError, or with directory.ErrLayout for a bucket that there is not.
func (v *View) Append(dst []byte, bucket uint32) ([]byte, error) {
	if !v.has(bucket) {
		return dst, directory.ErrLayout
	}
	return v.append(dst, v.Format(), bucket, v.config.Now())
}

// has reports whether the epoch has the bucket.
func (v *View) has(bucket uint32) bool { return uint64(bucket) < 1<<v.layout.BucketBits }

// append is Append of a bucket that exists, in a format and at a time that stay the same for a whole request.
func (v *View) append(dst []byte, f Format, bucket uint32, now time.Time) ([]byte, error) {
	p := &v.partitions[bucket>>(v.layout.BucketBits-v.layout.PartitionBits)]
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.table == nil || now.Sub(p.current) > v.config.MaxAge {
		return dst, ErrBehind
	}
	return p.table.appendAnswer(dst, v.padder, f, bucket)
}

// Wrote tells that this server has written to a partition that the epoch has. Until Redis has been asked again, memory is
// behind there, so that whoever writes and then asks this server finds what was written.
func (v *View) Wrote(partition uint32) {
	p := &v.partitions[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written, p.current = v.config.Now(), time.Time{}
}

// Status says how far a View has come.
type Status struct {
	// Partitions is how many there are, and Warm how many of them have been read.
	Partitions, Warm int
	// Age is how long ago the last word from Redis was for that of the warm partitions which is furthest behind, 0 if none
	// is warm.
	Age time.Duration
}

// Status returns how far the view has come, for metrics and readiness.
func (v *View) Status() Status {
	now := v.config.Now()
	status := Status{Partitions: len(v.partitions)}
	for i := range v.partitions {
		p := &v.partitions[i]
		p.mu.RLock()
		if p.table != nil {
			status.Warm++
			status.Age = max(status.Age, now.Sub(p.current))
		}
		p.mu.RUnlock()
	}
	return status
}

// locate returns the bucket and the key of a tag.
func (v *View) locate(tag crypto.Tag) (bucket uint32, key uint64) {
	return v.layout.Bucket(tag), v.Format().key(tag)
}
