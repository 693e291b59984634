package client

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
)

// zeroReader is randomness that the test can predict.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// testState has an epoch with a result and a pending batch, and one that is over, and a key log.
func testState(t testing.TB) *state {
	t.Helper()
	key, err := voprf.DeriveKeyPair(make([]byte, voprf.SeedSize), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &state{server: "https://kith.test"}
	s.remember(3, [voprf.ElementSize]byte(key.PublicKey().Bytes()))
	e := s.remember(4, [voprf.ElementSize]byte(key.PublicKey().Bytes()))
	ns, err := key.Evaluate([][]byte{[]byte("tel:+14155550100"), []byte("tel:+14155550101")})
	if err != nil {
		t.Fatal(err)
	}
	e.known["+14155550100"], e.known["+14155550101"] = ns[0], ns[1]
	b, err := newBatch(zeroReader{}, []string{"+14155550102", "+14155550103"})
	if err != nil {
		t.Fatal(err)
	}
	e.pending = append(e.pending, b)
	s.home, e.lot = 4, 7
	signer, err := keylog.NewSigner("kith.test", secret.Value{1})
	if err != nil {
		t.Fatal(err)
	}
	s.log = &seenLog{signer.VerifierKey(), 1, keylog.Checkpoint{Origin: "kith.test", Size: 1, Root: keylog.Root([]string{"x"})}}
	return s
}

func encodeTestState(t testing.TB) []byte {
	t.Helper()
	data, err := testState(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStateRoundTrip(t *testing.T) {
	data := encodeTestState(t)
	s, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("got %s and %v, want %s", again, err, data)
	}
	e := s.epoch(4)
	if len(s.epochs) != 2 || s.home != 4 || e.lot != 7 || s.log == nil || *s.log != *testState(t).log || len(e.known) != 2 || len(e.pending) != 1 || len(e.pending[0].blinds) != 2 {
		t.Errorf("got %+v", e)
	}
}

// TestStateOfVersion1 reads what a client of that version wrote, and writes it as it was.
func TestStateOfVersion1(t *testing.T) {
	old, err := os.ReadFile("testdata/state-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := decodeState(old)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.encode()
	if want := strings.Replace(string(old), `"version":1`, `"version":2`, 1); err != nil || string(got) != want {
		t.Errorf("got %s and %v, want %s", got, err, want)
	}
	e := s.epoch(1)
	if len(e.known) != 3 || len(e.pending) != 1 || len(e.buckets.asked) != 4 || len(e.labels.known) != 2 || len(s.spent) != 1 {
		t.Errorf("got %+v, want 3 results, a pending request of 2, 4 prefixes and 2 labels", e)
	}
}

func TestDecodeStateRefuses(t *testing.T) {
	valid := string(encodeTestState(t))
	long := strings.Repeat("A", 43)
	for _, tt := range []struct{ name, from, to string }{
		{"truncated", valid[len(valid)/2:], ""},
		{"nothing but null", valid, "null"},
		{"an array", valid, "[]"},
		{"no version", `"version":2,`, ""},
		{"newer version", `"version":2`, `"version":3`},
		{"version that is text", `"version":2`, `"version":"2"`},
		{"unknown member", `"version":2`, `"version":2,"extra":0`},
		{"members of version 2 in version 1", `"version":2`, `"version":1`},
		{"home that is missing", `"home":4`, `"home":5`},
		{"lot above 32 bits", `"lot":7`, `"lot":4294967296`},
		{"checkpoint of another log", `"checkpoint":"kith.test`, `"checkpoint":"kith.example`},
		{"checkpoint that is none", `"checkpoint":"kith.test\n1`, `"checkpoint":"kith.test\n01`},
		{"verifier key that is none", `"verifier_key":"kith.test+`, `"verifier_key":"kith.test+0`},
		{"negative quorum", `"quorum":1`, `"quorum":-1`},
		{"data behind the end", valid, valid + valid},
		{"epoch twice", `"id":3`, `"id":4`},
		{"epoch below zero", `"id":3`, `"id":-3`},
		{"epoch above 32 bits", `"id":3`, `"id":4294967296`},
		{"public key too long", `"public_key":"`, `"public_key":"AA`},
		{"public key that is the identity", `"numbers":{}`, `"numbers":{},"public_key":"` + long + `"`},
		{"number without plus", "+14155550100", "14155550100"},
		{"number with letters", "+14155550100", "+1415555010x"},
		{"number too long", "+14155550100", "+1415555010012345"},
		{"number that is empty", "+14155550100", ""},
		{"N too short", `"+14155550100":"`, `"+14155550199":"AAAA","+14155550100":"`},
		{"N in another alphabet", `"+14155550100":"`, `"+14155550199":"` + long[:42] + "+" + `","+14155550100":"`},
		{"N with stray bits", `"+14155550100":"`, `"+14155550199":"` + long[:42] + "B" + `","+14155550100":"`},
		{"N with a line break", `"+14155550100":"`, `"+14155550199":"` + long[:42] + `\n` + `","+14155550100":"`},
		{"idempotency key of a wrong length", `"idempotency_key":"`, `"idempotency_key":"AA`},
		{"pending number twice", `"+14155550102","+14155550103"`, `"+14155550102","+14155550102"`},
		{"more numbers than blinds", `"+14155550102",`, `"+14155550102","+14155550104",`},
		{"fewer numbers than blinds", `"+14155550102",`, ``},
		{"zero blind", `"blinds":["`, `"blinds":["` + long + `","`},
		{"empty batch", `"]}]}]`, `"],"numbers":[],"blinds":[]}]}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broken := strings.Replace(valid, tt.from, tt.to, 1)
			if broken == valid {
				t.Fatal("the case changes nothing")
			}
			_, err := decodeState([]byte(broken))
			if !errors.Is(err, ErrState) {
				t.Fatalf("got error %v, want ErrState", err)
			}
			if strings.Contains(err.Error(), "55501") {
				t.Errorf("the error contains a number: %v", err)
			}
		})
	}
}

// TestStateForgets is about what an older epoch leaves behind.
func TestStateForgets(t *testing.T) {
	inUse := func(ids ...uint32) func(uint32) bool {
		return func(id uint32) bool {
			for _, known := range ids {
				if id == known {
					return true
				}
			}
			return false
		}
	}
	for _, tt := range []struct {
		name           string
		active         uint32
		inUse          func(uint32) bool
		known, pending int
		dirty          bool
	}{
		{"still active", 4, inUse(4), 2, 1, false},
		{"draining", 5, inUse(4, 5), 2, 1, false},
		{"gone", 5, inUse(5), 0, 0, true},
		{"not heard of by this server", 3, inUse(3), 2, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testState(t)
			s.dirty = false
			s.forget(tt.active, tt.inUse)
			e := s.epoch(4)
			if len(e.known) != tt.known || len(e.pending) != tt.pending || s.dirty != tt.dirty {
				t.Errorf("got %d known, %d pending, dirty %v; want %d, %d, %v",
					len(e.known), len(e.pending), s.dirty, tt.known, tt.pending, tt.dirty)
			}
		})
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(encodeTestState(f))
	data, err := testLookupState(f).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	old, err := os.ReadFile("testdata/state-v1.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old)
	f.Add([]byte(`{"version":2,"server":"","epochs":null}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeState(data)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("got error %v, want ErrState", err)
			}
			return
		}
		once, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeState(once)
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if twice, err := again.encode(); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("encoding is not stable: %v", err)
		}
	})
}
