package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kith-project/kith/server/keyring"
)

// totals are what histories came to, which shows whether they have tried anything.
type totals struct {
	mu     sync.Mutex
	counts map[string]int
}

// add counts what happened in a history.
func (t *totals) add(s *scene, snapshot *keyring.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string]int)
	}
	t.counts["histories"]++
	for _, d := range s.journal.calls() {
		what := "writes "
		if d.verb == look {
			what = "lookups "
		}
		t.counts[what+[...]string{"acknowledged", "refused", "failed", "unanswered", "unreached"}[d.outcome]]++
	}
	for _, e := range snapshot.Epochs {
		t.counts["epochs "+string(e.State)]++
	}
}

func (t *totals) String() string {
	var lines []string
	for what, n := range t.counts {
		lines = append(lines, fmt.Sprintf("%6d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return strings.Join(lines, "\n")
}
