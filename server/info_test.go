package server_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// directoryInfo is the answer of GET /v1/directory as docs/protocol.md has it.
type directoryInfo struct {
	Suite   string `json:"suite"`
	Mode    int    `json:"mode"`
	Profile string `json:"profile"`
	Epochs  []struct {
		ID         uint32 `json:"id"`
		State      string `json:"state"`
		PublicKey  string `json:"public_key"`
		BucketBits uint8  `json:"bucket_bits"`
		Slots      int    `json:"slots"`
		TagBytes   int    `json:"tag_bytes"`
		Anonymity  int64  `json:"anonymity"`
		Snapshot   *struct {
			Bytes            int64 `json:"bytes"`
			Keys             int64 `json:"keys"`
			ChangesBytesADay int64 `json:"changes_bytes_a_day"`
		} `json:"snapshot"`
	} `json:"epochs"`
	Limits struct {
		MaxElements      int `json:"max_elements"`
		MaxTags          int `json:"max_tags"`
		MaxPrefixes      int `json:"max_prefixes"`
		MaxLabelPrefixes int `json:"max_label_prefixes"`
	} `json:"limits"`
	Modes     []string `json:"modes"`
	Migration *struct {
		From   uint32 `json:"from"`
		To     uint32 `json:"to"`
		Begins int64  `json:"begins"`
		Ends   int64  `json:"ends"`
	} `json:"migration"`
	KeyLog *struct {
		VerifierKey string `json:"verifier_key"`
		Size        int    `json:"size"`
	} `json:"key_log"`
}

// fixedKeyring is a keyring that does not change.
type fixedKeyring struct{ snapshot *keyring.Snapshot }

func (k fixedKeyring) Current() (*keyring.Snapshot, error) { return k.snapshot, nil }

func (k fixedKeyring) Epoch(_ context.Context, id uint32) (*keyring.Epoch, *keyring.Snapshot, error) {
	if e := k.snapshot.Epoch(id); e != nil {
		return e, k.snapshot, nil
	}
	return nil, nil, keyring.ErrUnknownEpoch
}

// allStates returns a keyring with an epoch in each state: 1 retired, 2 aborted, 3 draining, 4 active, 5 staged.
func allStates(t testing.TB) fixedKeyring {
	t.Helper()
	s := &keyring.Snapshot{Generation: 9}
	for i, state := range []keyring.State{
		keyring.StateRetired, keyring.StateAborted, keyring.StateDraining, keyring.StateActive, keyring.StateStaged,
	} {
		key, err := voprf.GenerateKeyPair(rand.Reader)
		must(t, err)
		id := uint32(i + 1)
		s.Epochs = append(s.Epochs, &keyring.Epoch{
			ID: id, State: state, Key: key, PublicKey: key.PublicKey(),
			Layout: directory.Layout{Epoch: id, PartitionBits: 2, BucketBits: 8}, Slots: 96,
			Activated: time.Unix(int64(1_000*id), 0), Window: 10 * time.Minute,
		})
	}
	return fixedKeyring{s}
}

func TestDirectory(t *testing.T) {
	states := allStates(t)
	s := newStack(t, func(c *server.Config) { c.Keyring = states })
	a := s.send(t, call{method: "GET", path: "/v1/directory"})
	key := func(id uint32) string {
		return base64url.EncodeToString(states.snapshot.Epoch(id).PublicKey.Bytes())
	}
	// Names, order and values of docs/protocol.md, section 4. Epochs that devices may not use are left out.
	want := fmt.Sprintf(`{"suite":"ristretto255-SHA512","mode":1,"profile":"tel-e164/1","epochs":[`+
		`{"id":3,"state":"draining","public_key":"%s","bucket_bits":8,"slots":96,"tag_bytes":4,"anonymity":39062500},`+
		`{"id":4,"state":"active","public_key":"%s","bucket_bits":8,"slots":96,"tag_bytes":4,"anonymity":39062500}],`+
		`"limits":{"max_elements":1024,"max_tags":4096,"max_prefixes":4096,"max_label_prefixes":256},`+
		`"modes":["exact","bucket"],"migration":{"from":3,"to":4,"begins":4000,"ends":4600}}`, key(3), key(4))
	if string(a.body) != want {
		t.Errorf("got\n%s, want\n%s", a.body, want)
	}
	var info directoryInfo
	decode(t, a, &info)
}

// TestMigrationIsToldWhileAnEpochDrains shows when devices are told to move, and between which epochs.
func TestMigrationIsToldWhileAnEpochDrains(t *testing.T) {
	type states []keyring.State
	const retired, draining, active, staged = keyring.StateRetired, keyring.StateDraining, keyring.StateActive, keyring.StateStaged
	tests := []struct {
		name   string
		states states // of epochs 1, 2, ...
		want   string // from and to, or "" for none
	}{
		{"one epoch", states{active}, ""},
		{"before the flip", states{active, staged}, ""},
		{"after it", states{draining, active}, "1 to 2"},
		{"old one retired", states{retired, active}, ""},
		{"two drain", states{draining, draining, active}, "2 to 3"},
		{"the next one is staged", states{retired, draining, active, staged}, "2 to 3"},
		{"the last one was aborted", states{draining, active, keyring.StateAborted}, "1 to 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all := allStates(t)
			all.snapshot.Epochs = all.snapshot.Epochs[:len(test.states)]
			for i, state := range test.states {
				all.snapshot.Epochs[i].State = state
			}
			s := newStack(t, func(c *server.Config) { c.Keyring = all })
			var info directoryInfo
			decode(t, s.send(t, call{method: "GET", path: "/v1/directory"}), &info)
			got := ""
			if m := info.Migration; m != nil {
				got = fmt.Sprintf("%d to %d", m.From, m.To)
				if m.Begins != 1_000*int64(m.To) || m.Ends != m.Begins+600 {
					t.Errorf("got %d to %d, want 10 minutes from the moment that epoch %d became active", m.Begins, m.Ends, m.To)
				}
			}
			if got != test.want {
				t.Errorf("got migration %q, want %q", got, test.want)
			}
		})
	}
}

func TestDirectoryETag(t *testing.T) {
	s := newStack(t)
	get := func(ifNoneMatch string) answer {
		c := call{method: "GET", path: "/v1/directory", header: map[string][]string{}}
		if ifNoneMatch != "" {
			c.header["If-None-Match"] = []string{ifNoneMatch}
		}
		return s.send(t, c)
	}
	etag := get("").header.Get("ETag")
	if len(etag) != 18 || etag[0] != '"' {
		t.Fatalf("got ETag %s, want 16 characters in quotes", etag)
	}
	tests := []struct {
		name, ifNoneMatch string
		status            int
	}{
		{"none", "", 200},
		{"the same", etag, 304},
		{"weak", "W/" + etag, 304},
		{"one of several", `"x", ` + etag, 304},
		{"any", "*", 304},
		{"another", `"x"`, 200},
		{"not quoted", etag[1:17], 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := get(test.ifNoneMatch)
			if a.status != test.status || a.header.Get("ETag") != etag || a.header.Get("Cache-Control") != "no-cache" {
				t.Errorf("got %d %v, want %d with the same ETag", a.status, a.header, test.status)
			}
			if (a.status == 304) != (len(a.body) == 0) {
				t.Errorf("%d with a body of %d bytes", a.status, len(a.body))
			}
		})
	}
}

// TestEpochStates shows which epochs devices may use.
func TestEpochStates(t *testing.T) {
	states := allStates(t)
	s := newStack(t, func(c *server.Config) { c.Keyring = states })
	bearer := s.mint(t, "alice", "discover")
	batch := blind(t, "+14155552671")
	tests := []struct {
		name   string
		epoch  string
		status int
		code   string
	}{
		{"retired", "1", 410, "epoch-retired"},
		{"aborted", "2", 404, "unknown-epoch"},
		{"draining", "3", 200, ""},
		{"active", "4", 200, ""},
		{"staged", "5", 404, "unknown-epoch"},
		{"unknown", "6", 404, "unknown-epoch"},
		{"zero", "0", 404, "unknown-epoch"},
		{"not a number", "one", 404, "unknown-epoch"},
		{"negative", "-4", 404, "unknown-epoch"},
		{"2^32", "4294967296", 404, "unknown-epoch"},
		{"2^32 + 4", "4294967300", 404, "unknown-epoch"},
		{"empty", "", 404, "unknown-epoch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.send(t, call{method: "POST", path: "/v1/epochs/" + test.epoch + "/evaluations", token: bearer, mime: mimePacked, body: batch.packed})
			if test.status != 200 {
				wantProblem(t, a, test.status, test.code)
				return
			}
			if a.status != 200 {
				t.Fatalf("got %d %s, want 200", a.status, a.body)
			}
			id := uint32(test.epoch[0] - '0')
			batch.unblind(t, states.snapshot.Epoch(id).PublicKey.Bytes(), a.body)
		})
	}
}

// TestLimitsSetInPart shows that a limit that is left out is the default, and not that nothing is allowed.
func TestLimitsSetInPart(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Limits = server.Limits{MaxTags: 3} })
	var info directoryInfo
	decode(t, s.send(t, call{method: "GET", path: "/v1/directory"}), &info)
	if l := info.Limits; l.MaxTags != 3 || l.MaxElements != 1024 || l.MaxPrefixes != 4096 || l.MaxLabelPrefixes != 256 {
		t.Errorf("got %+v, want the defaults but for 3 tags", l)
	}
	s.discover(t, "alice", number)
}
