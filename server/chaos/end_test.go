package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

const (
	// endPatience is how long writes wait for an answer when everything runs again.
	endPatience = 10 * time.Second
	// quietTimeout is how long a deployment may take until nothing is left to do, on a slow machine.
	quietTimeout = 90 * time.Second
	quietPause   = 50 * time.Millisecond
)

// end brings a history to its end: it has writes of which nothing is known made again or leaves them, ends or aborts a
// rotation, waits until the servers have nothing left to do, and stops them.
func (s *scene) end(t testing.TB) {
	t.Helper()
	s.journal.note("the end", "everything runs")
	if s.ending.retry {
		c := newClient("the end", s.deployment, s.devices, endPatience)
		made := make(map[call]bool)
		for _, d := range s.journal.calls() {
			if d.write() && !d.known() && !made[d.call] {
				made[d.call] = true
				again := d.call
				again.again = true
				c.make(again)
			}
		}
	}
	s.settle(t)
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() { s.deployment.terminate(i) })
	}
	wg.Wait()
}

// settle waits until no rotation is under way and nothing is left to be removed.
func (s *scene) settle(t testing.TB) {
	t.Helper()
	o := newOperator("the end", s.deployment, s.orders)
	asked := make(map[string]bool)
	left := "nothing could be read"
	for deadline := time.Now().Add(quietTimeout); time.Now().Before(deadline); time.Sleep(quietPause) {
		snapshot, err := s.watch.keyring()
		if err != nil {
			continue
		}
		if left = s.left(snapshot); left == "" {
			s.journal.note("the end", "quiet")
			return
		}
		staged := snapshot.Staged()
		if staged == nil {
			continue
		}
		step := ""
		switch {
		case s.ending.abort:
			step = "abort"
		case !staged.Auto && !staged.Verified.IsZero():
			step = "activate"
		}
		// Until each server has answered: one may not have read the keyring yet, or not be able to.
		for server := range servers {
			if key := fmt.Sprint(staged.ID, step, server); step != "" && !asked[key] {
				kind := map[string]orderKind{"abort": abort, "activate": activate}[step]
				asked[key] = o.ask(order{kind: kind, server: server}, http.MethodPost, fmt.Sprintf("/v1/epochs/%d/%s", staged.ID, step), nil)
			}
		}
	}
	s.journal.fault("not quiet after %v: %s", quietTimeout, left)
}

// left returns what the servers still have to do, "" for nothing.
func (s *scene) left(snapshot *keyring.Snapshot) string {
	var left []string
	for _, e := range snapshot.Epochs {
		switch {
		case e.State == keyring.StateStaged:
			left = append(left, fmt.Sprintf("epoch %d is staged", e.ID))
		case e.State == keyring.StateActive && e.From != 0 && e.Settled.IsZero():
			left = append(left, fmt.Sprintf("epoch %d is not settled", e.ID))
		case e.State == keyring.StateDraining && s.due(snapshot, e):
			left = append(left, fmt.Sprintf("epoch %d is to be retired", e.ID))
		case e.Over() && e.Swept < 2:
			left = append(left, fmt.Sprintf("epoch %d was removed %d times", e.ID, e.Swept))
		}
	}
	return strings.Join(left, ", ")
}

// due reports whether a draining epoch will be retired within this test.
func (s *scene) due(snapshot *keyring.Snapshot, e *keyring.Epoch) bool {
	for _, next := range snapshot.Epochs {
		if next.From == e.ID && !next.Activated.IsZero() && next.Auto {
			return next.Drain < time.Minute
		}
	}
	return false
}
