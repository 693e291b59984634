package quota

import (
	"context"
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

//go:embed account.lua
var accountSource string

//go:embed debit.lua
var debitSource string

//go:embed refund.lua
var refundSource string

//go:embed status.lua
var statusSource string

//go:embed admin.lua
var adminSource string

//go:embed reserve.lua
var reserveSource string

// scripts are the scripts of a ledger.
type scripts struct{ debit, refund, status, admin, reserve *redis.Script }

// newScripts makes the scripts of their sources, each of which is passed through change.
func newScripts(change func(source string) string) scripts {
	account := func(source string) *redis.Script { return redis.NewScript(change(accountSource + "\n" + source)) }
	return scripts{
		debit: account(debitSource), refund: account(refundSource), status: account(statusSource), admin: account(adminSource),
		reserve: redis.NewScript(change(reserveSource)),
	}
}

var storeScripts = newScripts(func(source string) string { return source })

// statusCorrupt is what scripts return that have met something which no script writes.
const statusCorrupt = "CORRUPT"

// runNumbers runs a script that returns a status and at least n numbers. It returns ErrRecord if the status is CORRUPT, and
// ErrUnavailable.
func runNumbers(ctx context.Context, rdb redis.Scripter, script *redis.Script, n int, keys []string, args ...any) (status string, numbers []int64, err error) {
	reply, err := script.Run(ctx, rdb, keys, args...).Slice()
	if err != nil {
		return "", nil, unavailable(err)
	}
	return parseReply(reply, n)
}

// parseReply takes apart a status and the numbers that follow it. A reply of another shape is no answer of the scripts,
// and ErrUnavailable.
func parseReply(reply []any, n int) (status string, numbers []int64, err error) {
	if len(reply) == 0 {
		return "", nil, ErrUnavailable
	}
	status, ok := reply[0].(string)
	switch {
	case status == statusCorrupt:
		return "", nil, ErrRecord
	case !ok || len(reply) != n+1:
		return "", nil, ErrUnavailable
	}
	for _, value := range reply[1:] {
		number, ok := value.(int64)
		if !ok {
			return "", nil, ErrUnavailable
		}
		numbers = append(numbers, number)
	}
	return status, numbers, nil
}
