package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
)

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// logSigner signs the key logs of all tests.
func logSigner(t testing.TB) *keylog.Signer {
	return must(keylog.NewSigner("kith.test/keylog", secret.Value{1}))(t)
}

// newWitness returns a witness; those of different names have different keys.
func newWitness(t testing.TB, name string) *keylog.Cosigner {
	seed := secret.Value{}
	copy(seed[:], name)
	return must(keylog.NewCosigner(name, seed))(t)
}

// entry is the one for an epoch of the fake server.
func (e *fakeEpoch) entry() keylog.Entry {
	return keylog.Entry{
		Event: keylog.EventEpoch, Epoch: e.id, Suite: "ristretto255-SHA512", PublicKey: [32]byte(e.key.PublicKey().Bytes()), Time: fakeNow,
	}
}

// logEntries appends entries to the key log.
func (s *fakeServer) logEntries(t testing.TB, entries ...keylog.Entry) {
	t.Helper()
	for _, e := range entries {
		s.log = must(keylog.Append(s.log, logSigner(t), e))(t)
	}
}

// logKeys makes a key log of all epochs.
func (s *fakeServer) logKeys(t testing.TB) {
	t.Helper()
	s.log = keylog.Message{}
	for _, e := range s.epochs {
		s.logEntries(t, e.entry())
	}
}

// cosign has witnesses cosign the key log.
func (s *fakeServer) cosign(t testing.TB, witnesses ...*keylog.Cosigner) {
	t.Helper()
	for _, w := range witnesses {
		line := must(w.Cosign(s.log.Checkpoint, fakeNow))(t)
		s.log.Checkpoint = must(keylog.AddCosignature(s.log.Checkpoint, line, w.Witness()))(t)
	}
}

// loggedServer has one epoch, whose key is in its log, and options that check it.
func loggedServer(t testing.TB) (*fakeServer, client.Options) {
	s := newFakeServer(t, map[string]string{"+14155550001": "one"})
	s.logKeys(t)
	o := testOptions(s)
	o.KeyLog.VerifierKey = logSigner(t).VerifierKey()
	return s, o
}

// TestKeyLog goes through a rotation, by a log that grows.
func TestKeyLog(t *testing.T) {
	s, o := loggedServer(t)
	for range 2 {
		mustSync(t, o, manyContacts(2))
	}
	s.rotate(2, map[string]string{"+14155550001": "one"})
	s.logEntries(t, s.epochs[1].entry())
	if result := mustSync(t, o, manyContacts(2)); result.Epoch != 2 || len(result.Matches) != 1 {
		t.Errorf("got %+v, want a match in epoch 2", result)
	}
	// An epoch that was given up, and one that is still staged.
	staged := s.addEpoch(3, "staged", nil).entry()
	s.logEntries(t, staged, keylog.Entry{Event: keylog.EventAborted, Epoch: 3, Time: fakeNow})
	s.epochs[2].state = "retired"
	s.logEntries(t, s.addEpoch(4, "staged", nil).entry())
	s.epochs = s.epochs[:2]
	mustSync(t, o, manyContacts(2))
	for _, r := range s.seen("keylog") {
		if r.header.Get("Authorization") != "" || r.header.Get("Cookie") != "" || len(r.body) != 0 {
			t.Error("the request for the log has a credential or a body")
		}
	}
	if got := len(s.seen("keylog")); got != 4 {
		t.Errorf("asked for the log %d times in 4 Syncs", got)
	}
}

func TestWithoutAKeyLog(t *testing.T) {
	s, o := loggedServer(t)
	o.KeyLog = client.KeyLog{}
	s.log.Checkpoint = "nonsense"
	if mustSync(t, o, manyContacts(2)); len(s.seen("keylog")) != 0 {
		t.Error("the log was asked for without a key to verify it")
	}
}

// TestKeyLogIsRefused has servers whose log or keys are wrong. Nothing of the address book is sent to them, the checkpoint
// that is remembered stays, and the honest server is accepted again.
func TestKeyLogIsRefused(t *testing.T) {
	otherSigner := must(keylog.NewSigner("kith.test/keylog", secret.Value{2}))(t)
	resign := func(t *testing.T, s *fakeServer, signer *keylog.Signer, c keylog.Checkpoint) {
		s.log.Checkpoint = must(signer.Sign(c))(t)
	}
	for _, tt := range []struct {
		name     string
		change   func(t *testing.T, s *fakeServer, o *client.Options)
		want     error
		requests int // after the first Sync
	}{
		{"fork", func(t *testing.T, s *fakeServer, _ *client.Options) {
			e := s.epochs[0].entry()
			e.Time = e.Time.Add(time.Second)
			s.log = keylog.Message{}
			s.logEntries(t, e)
		}, keylog.ErrFork, 2},
		{"fork that is longer", func(t *testing.T, s *fakeServer, _ *client.Options) {
			e := s.epochs[0].entry()
			e.Time = e.Time.Add(time.Second)
			s.log = keylog.Message{}
			s.logEntries(t, e, s.addEpoch(7, "staged", nil).entry())
			s.epochs = s.epochs[:1]
		}, keylog.ErrFork, 2},
		{"rollback", func(t *testing.T, s *fakeServer, o *client.Options) {
			short := s.log
			s.logEntries(t, s.addEpoch(7, "staged", nil).entry())
			s.epochs = s.epochs[:1]
			mustSync(t, *o, nil)
			s.log, s.requests = short, nil
		}, keylog.ErrRollback, 4},
		{"signature of another key", func(t *testing.T, s *fakeServer, _ *client.Options) {
			resign(t, s, otherSigner, keylog.Checkpoint{Origin: "kith.test/keylog", Size: 1, Root: keylog.Root(s.log.Entries)})
		}, keylog.ErrSignature, 2},
		{"entries that are not signed", func(_ *testing.T, s *fakeServer, _ *client.Options) {
			s.log.Entries = append(slices.Clone(s.log.Entries), s.log.Entries[0])
		}, keylog.ErrRoot, 2},
		{"no quorum", func(t *testing.T, _ *fakeServer, o *client.Options) {
			o.KeyLog.Witnesses, o.KeyLog.Quorum = []string{newWitness(t, "w").WitnessKey()}, 1
		}, keylog.ErrQuorum, 2},
		{"quorum of others", func(t *testing.T, s *fakeServer, o *client.Options) {
			s.cosign(t, newWitness(t, "v"))
			o.KeyLog.Witnesses, o.KeyLog.Quorum = []string{newWitness(t, "w").WitnessKey()}, 1
		}, keylog.ErrQuorum, 2},
		{"epoch that is not logged", func(_ *testing.T, s *fakeServer, _ *client.Options) {
			s.rotate(2, nil)
		}, client.ErrKeyNotLogged, 4},
		{"epoch under another key than logged", func(t *testing.T, s *fakeServer, _ *client.Options) {
			s.rotate(2, nil)
			e := s.epochs[1].entry()
			e.PublicKey = s.epochs[0].entry().PublicKey
			s.logEntries(t, e)
		}, client.ErrKeyNotLogged, 4},
		{"epoch that was given up", func(t *testing.T, s *fakeServer, _ *client.Options) {
			s.rotate(2, nil)
			s.logEntries(t, s.epochs[1].entry(), keylog.Entry{Event: keylog.EventAborted, Epoch: 2, Time: fakeNow})
		}, client.ErrKeyNotLogged, 4},
		{"no log", func(_ *testing.T, s *fakeServer, _ *client.Options) { s.log = keylog.Message{} }, client.ErrKeyLog, 2},
		{"empty log", func(_ *testing.T, s *fakeServer, _ *client.Options) {
			s.log.Entries = []string{""}
		}, client.ErrKeyLog, 2},
		{"log that is no JSON", func(_ *testing.T, s *fakeServer, _ *client.Options) {
			s.tamper = func(path string, body []byte) []byte {
				if strings.HasSuffix(path, "keylog") {
					return body[1:]
				}
				return body
			}
		}, client.ErrAnswer, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, o := loggedServer(t)
			mustSync(t, o, manyContacts(1))
			honest, epochs, log := *s.epochs[0], s.epochs, s.log
			before := must(o.State.Load(t.Context()))(t)
			s.requests = nil
			changed := o
			tt.change(t, s, &changed)
			if tt.name == "rollback" {
				before = must(o.State.Load(t.Context()))(t)
				log = keylog.Message{}
			}
			err := syncError(t, changed)
			if !errors.Is(err, tt.want) || tt.want != client.ErrAnswer && !errors.Is(err, client.ErrKeyLog) {
				t.Errorf("got error %v, want ErrKeyLog and %v", err, tt.want)
			}
			if len(s.requests) != tt.requests || len(epochsAsked(s.requests)) != 0 {
				t.Errorf("sent %d requests to epochs %v, want %d and none of an epoch", len(s.requests), epochsAsked(s.requests), tt.requests)
			}
			if after := must(o.State.Load(t.Context()))(t); string(after) != string(before) {
				t.Errorf("the state became %s, want it as it was", after)
			}
			if len(log.Entries) > 0 {
				*epochs[0], s.epochs, s.log, s.migration, s.tamper = honest, epochs, log, nil, nil
				mustSync(t, o, manyContacts(2))
			}
		})
	}
}

// TestTwoServersTwoKeys: an operator shows a device one key at one server and another key at a second, whatever it does with
// the log.
func TestTwoServersTwoKeys(t *testing.T) {
	twin := func(t *testing.T) *fakeServer { // epoch 1 under another key
		s := newFakeServer(t, nil)
		s.epochs = nil
		forged := s.addEpoch(9, "active", nil)
		forged.id, forged.manifest.Epoch = 1, 1
		return s
	}
	for _, tt := range []struct {
		name string
		log  func(t *testing.T, honest, forged *fakeServer)
		// the state remembers the honest log, but not the key of the epoch, as that of a device that only read the log before
		remembers bool
		want      error
	}{
		{"two logs, and the device has seen one", func(t *testing.T, _, forged *fakeServer) { forged.logKeys(t) }, true, keylog.ErrFork},
		{"one log, and another key in the directory", func(_ *testing.T, honest, forged *fakeServer) { forged.log = honest.log }, true, client.ErrKeyNotLogged},
		{"one log, and a new device", func(_ *testing.T, honest, forged *fakeServer) { forged.log = honest.log }, false, client.ErrKeyNotLogged},
		{"the other key as one more epoch", func(t *testing.T, honest, forged *fakeServer) {
			forged.log = honest.log
			forged.epochs[0].id = 2
			e := forged.epochs[0].entry()
			e.Epoch = 1
			if _, err := keylog.Append(forged.log, logSigner(t), e); err == nil {
				t.Error("the log took an epoch twice")
			}
		}, true, client.ErrKeyNotLogged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			honest, o := loggedServer(t)
			forged := twin(t)
			tt.log(t, honest, forged)
			if tt.remembers {
				mustSync(t, o, manyContacts(3))
				forgetEpochs(t, o.State)
			}
			o.HTTP = forged
			if err := syncError(t, o); !errors.Is(err, tt.want) || !errors.Is(err, client.ErrKeyLog) || len(epochsAsked(forged.requests)) != 0 {
				t.Errorf("got error %v after requests of epochs %v, want %v and none", err, epochsAsked(forged.requests), tt.want)
			}
		})
	}
	t.Run("two logs under witnesses, and a new device", func(t *testing.T) {
		honest, o := loggedServer(t)
		forged := twin(t)
		forged.logKeys(t)
		w := newWitness(t, "w") // cosigns one log
		honest.cosign(t, w)
		o.KeyLog.Witnesses, o.KeyLog.Quorum = []string{w.WitnessKey()}, 1
		mustSync(t, o, manyContacts(1))
		o.State, o.HTTP = client.MemoryState(), forged
		if err := syncError(t, o); !errors.Is(err, keylog.ErrQuorum) {
			t.Errorf("got error %v, want ErrQuorum", err)
		}
	})
}

// forgetEpochs leaves the key log alone in a state.
func forgetEpochs(t *testing.T, store client.StateStore) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(must(store.Load(t.Context()))(t), &members); err != nil || members["key_log"] == nil {
		t.Fatalf("no key log in the state, or %v", err)
	}
	members["epochs"] = []any{}
	delete(members, "home")
	if err := store.Save(t.Context(), must(json.Marshal(members))(t)); err != nil {
		t.Fatal(err)
	}
}

// TestKeyLogThatIsBehind: a server that has not heard of the latest entry gets a moment to do so.
func TestKeyLogThatIsBehind(t *testing.T) {
	for _, name := range []string{"than the device has seen", "than the directory"} {
		s, o := loggedServer(t)
		mustSync(t, o, nil)
		short := s.log
		s.rotate(2, nil)
		s.logEntries(t, s.epochs[1].entry())
		long := s.log
		if name == "than the device has seen" {
			mustSync(t, o, nil)
		}
		s.log = short
		c := newClient(t, o)
		var waited []time.Duration
		var result *client.Result
		c.SetSleep(func(_ context.Context, d time.Duration) error { waited, s.log = append(waited, d), long; return nil })
		result, err := c.Sync(t.Context(), client.Contacts(nil))
		if err != nil || result.Epoch != 2 || !slices.Equal(waited, []time.Duration{2 * time.Second}) {
			t.Errorf("shorter %s: got %+v and %v after waiting %v, want epoch 2 after 2 s", name, result, err, waited)
		}
	}
}

// TestQuorum: keys that a quorum has seen are used while witnesses have not cosigned the latest entry, and no others are.
func TestQuorum(t *testing.T) {
	s, o := loggedServer(t)
	a, b, c := newWitness(t, "a"), newWitness(t, "b"), newWitness(t, "c")
	o.KeyLog.Witnesses, o.KeyLog.Quorum = []string{a.WitnessKey(), b.WitnessKey(), c.WitnessKey()}, 2
	s.cosign(t, a)
	if err := syncError(t, o); !errors.Is(err, keylog.ErrQuorum) {
		t.Errorf("one of two: got error %v, want ErrQuorum", err)
	}
	s.cosign(t, c)
	mustSync(t, o, manyContacts(2))

	next := s.addEpoch(2, "staged", nil)
	s.epochs = s.epochs[:1]
	s.logEntries(t, next.entry())
	mustSync(t, o, manyContacts(2)) // a new entry, which nobody has cosigned yet
	stricter := o
	stricter.KeyLog.Quorum = 3
	if err := syncError(t, stricter); !errors.Is(err, keylog.ErrQuorum) {
		t.Errorf("a larger quorum: got error %v, want ErrQuorum", err)
	}
	s.epochs[0].state, next.state = "draining", "active"
	s.epochs = append(s.epochs, next)
	if err := syncError(t, o); !errors.Is(err, keylog.ErrQuorum) || !errors.Is(err, client.ErrKeyLog) {
		t.Errorf("its key in use: got error %v, want ErrQuorum", err)
	}
	s.cosign(t, a, b)
	if result := mustSync(t, o, manyContacts(2)); result.Epoch != 2 {
		t.Errorf("cosigned: got epoch %d, want 2", result.Epoch)
	}
}

// TestAnotherVerifierKey: whoever pins the key of another log begins anew with it.
func TestAnotherVerifierKey(t *testing.T) {
	s, o := loggedServer(t)
	mustSync(t, o, manyContacts(1))
	for i, origin := range []string{"kith.test/keylog", "kith.test/other"} {
		signer := must(keylog.NewSigner(origin, secret.Value{byte(i + 7)}))(t)
		s.log = must(keylog.Append(keylog.Message{}, signer, s.epochs[0].entry()))(t)
		if err := syncError(t, o); !errors.Is(err, keylog.ErrSignature) {
			t.Errorf("%s: got error %v, want ErrSignature", origin, err)
		}
		o.KeyLog.VerifierKey = signer.VerifierKey()
		mustSync(t, o, manyContacts(1))
	}
}

// TestKeyLogProblems are passed on as those of other requests.
func TestKeyLogProblems(t *testing.T) {
	s, o := loggedServer(t)
	s.failFirst(100, "keylog", func(w http.ResponseWriter) { problem(w, 503, client.CodeUnavailable, "3600") })
	err := syncError(t, o)
	var got *client.ProblemError
	if !errors.As(err, &got) || got.Request != "keylog" || errors.Is(err, client.ErrKeyLog) {
		t.Errorf("got error %v, want the problem of keylog", err)
	}
	s.fault = nil
	s.failFirst(5, "keylog", func(w http.ResponseWriter) { problem(w, 503, client.CodeUnavailable, "1") })
	if result := mustSync(t, o, manyContacts(3)); len(result.Matches) != 1 || fmt.Sprint(result.Moving) != "<nil>" {
		t.Errorf("got %+v", result)
	}
}
