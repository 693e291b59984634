package chaos

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestHistories runs histories, one for each seed from -chaos.seed on, several at a time.
func TestHistories(t *testing.T) {
	var (
		next    atomic.Uint64
		workers sync.WaitGroup
		sum     totals
	)
	for range min(*parallel, *histories) {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= uint64(*histories) {
					return
				}
				seed := *firstSeed + n
				t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { runHistory(t, seed, &sum) })
			}
		})
	}
	workers.Wait()
	t.Logf("all histories together:\n%v", &sum)
}

// runHistory runs a history and fails the test with a report if it does not end as it should.
func runHistory(t *testing.T, seed uint64, sum *totals) {
	h := newHistory(seed)
	s := play(t, h)
	wrong, err := s.check(sum)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) == 0 {
		return
	}
	for _, text := range wrong {
		t.Error(text)
	}
	for i := range s.deployment.slots {
		for _, p := range s.deployment.slots[i].all {
			t.Logf("the last warnings of server %d, ended at %.3fs:\n%s", i, p.endedAt().Seconds(), p.warnings())
		}
	}
	t.Logf("%v\n%v\nagain: go test ./server/chaos -count=1 -run TestHistories -chaos.histories=1 -chaos.seed=%d", h, s.journal, seed)
}
