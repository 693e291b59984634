package snapshot

import (
	"context"
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

//go:embed lease.lua
var leaseSource string

//go:embed start.lua
var startSource string

//go:embed record.lua
var recordSource string

//go:embed publish.lua
var publishSource string

//go:embed generation.lua
var generationSource string

//go:embed append.lua
var appendSource string

//go:embed trim.lua
var trimSource string

var (
	leaseScript      = redis.NewScript(leaseSource)
	startScript      = redis.NewScript(startSource)
	recordScript     = redis.NewScript(recordSource)
	publishScript    = redis.NewScript(publishSource)
	generationScript = redis.NewScript(generationSource)
	appendScript     = redis.NewScript(appendSource)
	trimScript       = redis.NewScript(trimSource)
)

// What a script answers.
const (
	statusOK      = "OK"
	statusLease   = "LEASE"   // somebody else has the lease, or nobody
	statusChanged = "CHANGED" // the state is not the one expected
)

// run runs a script. It returns ErrLease or errChanged if the script wrote nothing, and ErrUnavailable if it is not known
// whether it did. Each script can be repeated as it is.
func run(ctx context.Context, rdb redis.UniversalClient, script *redis.Script, keys []string, args ...any) error {
	status, err := script.Run(ctx, rdb, keys, args...).Text()
	switch {
	case err != nil:
		return unavailable(err)
	case status == statusOK:
		return nil
	case status == statusLease:
		return ErrLease
	case status == statusChanged:
		return errChanged
	default:
		return ErrUnavailable
	}
}
