package directory

import (
	"errors"

	"github.com/redis/go-redis/v9"
)

// DefaultChangesLength is the number of changes that a partition keeps unless Config says otherwise.
const DefaultChangesLength = 4096

// Config holds the settings of a Store. The zero value is usable. None can change at run time.
type Config struct {
	// ChangesLength is about how many entries the change stream of each partition keeps; Redis trims in blocks, so it may
	// hold some more. Readers further behind have to read the whole directory again. 0 means DefaultChangesLength.
	ChangesLength int
	// OnCorrupt is called with a number of stored records that were found malformed, for a metric. It may be called
	// concurrently. If nil, they are only reported as ErrRecord.
	OnCorrupt func(records int)
}

// Store is the directory of all epochs in one Redis server or cluster. Its methods may be called concurrently. Calls
// that end with ErrUnavailable can be repeated as they are, unless they say otherwise.
type Store struct {
	rdb    redis.UniversalClient
	config Config
}

// New returns a store on rdb, which has to send reads to masters (the default) and stays the caller's to close. New does
// not connect; see CheckServer. A context's deadline bounds the wait for an answer only if the client's
// ContextTimeoutEnabled is set; otherwise its ReadTimeout does.
func New(rdb redis.UniversalClient, config Config) *Store {
	if config.ChangesLength <= 0 {
		config.ChangesLength = DefaultChangesLength
	}
	return &Store{rdb: rdb, config: config}
}

// corrupt reports malformed records to the hook.
func (s *Store) corrupt(records int) {
	if records > 0 && s.config.OnCorrupt != nil {
		s.config.OnCorrupt(records)
	}
}

// pipelineFailed returns the error of a pipeline as a whole, as an ErrUnavailable. Absent values and answers that refuse
// a single command are not failures of the pipeline: each command tells of its own.
func pipelineFailed(err error) error {
	if err == nil || errors.Is(err, redis.Nil) || refused(err) {
		return nil
	}
	return unavailable(err)
}
