package load

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/kith-project/kith/client"
)

// requestTimeout is how long an answer is waited for.
const requestTimeout = 30 * time.Second

// temporary reports whether the same request may succeed later; status 0 is a connection that failed.
func temporary(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// retryWait returns how long to wait after a try, counted from 1, that was answered with this status and Retry-After, and
// whether to try again: as package client does.
func retryWait(dice *rand.Rand, status, try int, after time.Duration) (time.Duration, bool) {
	if try >= client.MaxTries || !temporary(status) || after > client.DefaultMaxWait {
		return 0, false
	}
	return after + time.Duration(dice.Int64N(int64(client.Backoff(try))+1)), true
}

// retryAfter reads the header in seconds, as a Kith server sends it, and 0 for anything else.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
