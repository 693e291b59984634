package load

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// sortErrors puts the most frequent first.
func sortErrors(errors []ErrorCount) {
	slices.SortFunc(errors, func(a, b ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason))
	})
}

// Report is the result as text.
func (r *Result) Report() string {
	var b strings.Builder
	s := r.Settings
	fmt.Fprintf(&b, "%s\n%s: %g arrivals a second for %s, %d users, %d contacts to have in address books.\n", r.Target, s.Shape.Profile, s.Shape.Rate, s.Shape.Duration, s.Users, s.Pool)
	fmt.Fprintf(&b, "Before: %d users registered and ready after %.1f s, %d contacts evaluated in %.1f s.\n\n",
		r.Prepared.Registered, r.Prepared.RegisterSeconds, r.Prepared.Contacts, r.Prepared.PrepareSeconds)
	fmt.Fprintf(&b, "%d arrivals, %.1f a second were done. The last ended after %.1f s.\n\n", r.Offered, r.Throughput(), r.Seconds)
	fmt.Fprintf(&b, "%-13s%9s%9s%9s%10s%10s%10s%10s%10s\n", "ms", "count", "failed", "refused", "50 %", "90 %", "99 %", "99.9 %", "most")
	for _, k := range r.Kinds {
		t := k.Times
		fmt.Fprintf(&b, "%-13s%9d%9d%9d%10.2f%10.2f%10.2f%10.2f%10.2f\n", k.Kind, k.Count, k.Failed, k.Refusals, t.P50, t.P90, t.P99, t.P999, t.Max)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "failed: %d %s: %s\n", e.Count, e.Kind, e.Reason)
	}
	c := r.Checks
	fmt.Fprintf(&b, "\nChecked: %d elements, %d proofs, %d numbers and %d labels of %d devices: %d answers were wrong.\n", c.Elements, c.Proofs, c.Numbers, c.Labels, c.Devices, c.Wrong)
	for _, bad := range c.Examples {
		fmt.Fprintf(&b, "wrong: %d %s: %s\n", bad.Count, bad.Kind, bad.What)
	}
	u := r.Used
	fmt.Fprintf(&b, "Busy cores: server %.2f, Redis %.2f, generator %.2f of %d. Memory: server %d MB, Redis %d MB.\n",
		u.ServerCores, u.RedisCores, u.GeneratorCores, r.Machine.Cores, u.ServerRSS/1e6, u.RedisMemory/1e6)
	fmt.Fprintf(&b, "The generator was late by %.2f ms in the middle, by %.2f at 99 %%.\n", r.Late.P50, r.Late.P99)
	for _, v := range r.SLO {
		verdict := "met"
		if !v.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(&b, "%-7s %s: %s\n", verdict, v.Objective, v.Measured)
	}
	return b.String()
}
