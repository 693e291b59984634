package server

import (
	"fmt"
	"net/http"
	"time"

	"github.com/kith-project/kith/server/quota"
)

const (
	// The fields of draft-ietf-httpapi-ratelimit-headers-10.
	headerRateLimit       = "RateLimit"
	headerRateLimitPolicy = "RateLimit-Policy"
	// policyName is that of the one policy there is: the bucket of the account, in elements.
	policyName = `"evaluations"`
)

// setRateLimit tells a client how its account stands. The policy's quota is what a full bucket holds, and its window how
// long an empty one takes to be full; what remains may be more than the quota while there is a credit.
func setRateLimit(h http.Header, s quota.State) {
	const day = 24 * 60 * 60
	perDay := max(s.RefillPerDay, 1)
	window := (s.Limit*day + perDay - 1) / perDay
	h.Set(headerRateLimitPolicy, fmt.Sprintf(`%s;q=%d;w=%d;qu="elements"`, policyName, s.Limit, window))
	h.Set(headerRateLimit, fmt.Sprintf(`%s;r=%d;t=%d`, policyName, s.Remaining, seconds(s.Reset)))
}

// seconds returns a time in whole seconds, rounded up: whoever waits for as long does not come too early.
func seconds(d time.Duration) int {
	whole := d / time.Second
	if d%time.Second > 0 {
		whole++
	}
	return int(whole)
}
