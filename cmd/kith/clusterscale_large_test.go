//go:build large

package main

import (
	"fmt"
	"testing"
	"time"
)

// TestClusterScale looks up the same million tags on one, two and three masters, and prints what each master did for them and
// the processor time that it took:
//
//	make cluster-scale
//
// The masters share the cores of one machine, so that not the time of the lookups is compared but what the busiest master had
// to do, which bounds the lookups once each has a core of its own.
func TestClusterScale(t *testing.T) {
	const users, lookups, tags = 200_000, 1_000, 1_000
	one := time.Duration(0)
	for masters := 1; masters <= 3; masters++ {
		busiest, line := time.Duration(0), ""
		for _, use := range scaleOf(t, masters, users, lookups, tags) {
			busiest = max(busiest, use.cpu)
			line += fmt.Sprintf(" | %7d reads %5.2f s", use.reads, use.cpu.Seconds())
		}
		if masters == 1 {
			one = busiest
		}
		t.Logf("masters: %d%s | busiest %.2f s: at most %.0f tags a second, %.2f times one", masters, line, busiest.Seconds(),
			lookups*tags/busiest.Seconds(), one.Seconds()/busiest.Seconds())
	}
}
