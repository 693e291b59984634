package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server/keyring"
)

// check returns everything that is wrong at the end of a history.
func (s *scene) check(t *totals) ([]string, error) {
	wrong := slices.Clone(s.journal.wrong)
	m := newModel(s.versioned, s.journal.calls())
	wrong = append(wrong, m.problems()...)
	found, err := readStored(context.Background(), s.deployment.rdb, s.deployment.master, s.numbers)
	if err != nil {
		return nil, err
	}
	t.add(s, found.snapshot)
	wrong = append(wrong, found.wrong...)
	wrong = append(wrong, compare(m, found, s.numbers)...)
	wrong = append(wrong, checkLog(found.snapshot)...)
	wrong = append(wrong, s.orders.check(found.snapshot)...)
	wrong = append(wrong, s.audit(found.snapshot)...)
	for i := range s.deployment.slots {
		for _, p := range s.deployment.slots[i].all {
			if text := p.log.String(); strings.Contains(text, "panic") {
				wrong = append(wrong, fmt.Sprintf("server %d has panicked:\n%s", i, text))
			}
		}
	}
	return wrong, nil
}

// compare compares what is stored with the model, and the epochs with each other.
func compare(m *model, s *stored, numbers int) []string {
	var wrong []string
	for n := range numbers {
		for _, c := range s.epochs {
			if _, ok := m.allows(n, c.records[n]); !ok {
				wrong = append(wrong, fmt.Sprintf("epoch %d has of n%d %v, want %s", c.epoch.ID, n, c.records[n], m.explain(n)))
			}
		}
		if text := diverges(m, s, n); text != "" {
			wrong = append(wrong, text)
		}
	}
	return wrong
}

// diverges returns how the epochs differ in a number, if they may not. They may if the newest is of a write of which
// nothing is known, and no epoch has a newer one than the active.
func diverges(m *model, s *stored, n int) string {
	active := s.snapshot.Active()
	var newest, inActive state
	differ := false
	var all []string
	for _, c := range s.epochs {
		r := c.records[n]
		all = append(all, fmt.Sprintf("%v in epoch %d", r, c.epoch.ID))
		differ = differ || r != s.epochs[0].records[n]
		if r.over(newest) {
			newest = r
		}
		if active != nil && c.epoch.ID == active.ID {
			inActive = r
		}
	}
	if !differ {
		return ""
	}
	by, _ := m.allows(n, newest)
	known := len(by) > 0 && !slices.ContainsFunc(by, func(w write) bool { return !w.known() })
	if !known && newest == inActive {
		return ""
	}
	return fmt.Sprintf("the epochs differ in n%d: %s; want %s", n, strings.Join(all, ", "), m.explain(n))
}

// checkLog verifies the key log as a device does, and looks for the key of every epoch.
func checkLog(snapshot *keyring.Snapshot) []string {
	verifier, err := keylog.ParseVerifierKey(snapshot.VerifierKey())
	if err != nil {
		return []string{fmt.Sprintf("the verifier key: %v", err)}
	}
	view, err := keylog.Verify(snapshot.Log, verifier, keylog.Options{})
	if err != nil {
		return []string{fmt.Sprintf("the key log: %v", err)}
	}
	var wrong []string
	for _, e := range snapshot.Epochs {
		key, logged := view.Key(e.ID)
		if logged != (e.State != keyring.StateAborted) || logged && string(key[:]) != string(e.PublicKey.Bytes()) {
			wrong = append(wrong, fmt.Sprintf("the key log does not have the key of epoch %d, which is %s, as it is", e.ID, e.State))
		}
		if !slices.ContainsFunc(view.Entries, func(l keylog.Entry) bool { return l.Event == keylog.EventEpoch && l.Epoch == e.ID }) {
			wrong = append(wrong, fmt.Sprintf("the key log has no entry of epoch %d", e.ID))
		}
	}
	return wrong
}

// check returns the orders that were acknowledged and are not followed.
func (b *orderBook) check(snapshot *keyring.Snapshot) []string {
	var wrong []string
	for id := range b.begun {
		if snapshot.Epoch(id) == nil {
			wrong = append(wrong, fmt.Sprintf("a rotation to epoch %d was begun, which there is none of", id))
		}
	}
	for id, orders := range b.states {
		e := snapshot.Epoch(id)
		for _, o := range orders {
			if e == nil || o == abort && e.State != keyring.StateAborted || o == retire && e.State != keyring.StateRetired ||
				o == activate && e.Activated.IsZero() {
				wrong = append(wrong, fmt.Sprintf("%v of epoch %d was acknowledged, which was not done", order{kind: o}, id))
			}
		}
	}
	return wrong
}

// audit runs kith epoch audit for the last move, if the epoch before it is still there.
func (s *scene) audit(snapshot *keyring.Snapshot) []string {
	active := snapshot.Active()
	if active == nil {
		return []string{"no epoch is active"}
	}
	if from := snapshot.Epoch(active.From); from == nil || from.Over() {
		return nil
	}
	d := s.deployment
	cmd := exec.Command(kithPath, "epoch", "audit", fmt.Sprint(active.ID))
	cmd.Env = append(os.Environ(), "KITH_REDIS="+d.redis.URL(), "KITH_MASTER_KEY="+d.master.Text())
	if out, err := cmd.CombinedOutput(); err != nil {
		return []string{fmt.Sprintf("kith epoch audit: %v\n%s", err, out)}
	}
	return nil
}
