package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/secret"
)

func TestSealOpensForItsPurposeAlone(t *testing.T) {
	master := MasterKey{secret.Value{1}}
	key := secret.Value{7, 8, 9}
	sealed, err := master.seal(rand.Reader, privatePurpose(1), key)
	if err != nil || len(sealed) != sealedSize {
		t.Fatalf("got %d bytes, %v, want %d", len(sealed), err, sealedSize)
	}
	if got, err := master.open(privatePurpose(1), sealed); err != nil || !got.Equal(key) {
		t.Errorf("open: got another key or %v", err)
	}
	again, err := master.seal(rand.Reader, privatePurpose(1), key)
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice the same way: %v", err)
	}
	for name, open := range map[string]func() (secret.Value, error){
		"another epoch":      func() (secret.Value, error) { return master.open(privatePurpose(11), sealed) },
		"another purpose":    func() (secret.Value, error) { return master.open(storagePurpose(1), sealed) },
		"account key":        func() (secret.Value, error) { return master.open(accountKeyPurpose, sealed) },
		"another master key": func() (secret.Value, error) { return MasterKey{secret.Value{2}}.open(privatePurpose(1), sealed) },
		"a byte short":       func() (secret.Value, error) { return master.open(privatePurpose(1), sealed[:sealedSize-1]) },
		"a byte long":        func() (secret.Value, error) { return master.open(privatePurpose(1), append(sealed[:60:60], 0)) },
		"empty":              func() (secret.Value, error) { return master.open(privatePurpose(1), nil) },
	} {
		if got, err := open(); err != ErrSealed || got != (secret.Value{}) {
			t.Errorf("%s: got a key or %v, want ErrSealed", name, err)
		}
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 0x80
		if _, err := master.open(privatePurpose(1), altered); err != ErrSealed {
			t.Errorf("byte %d altered: got %v, want ErrSealed", i, err)
		}
	}
	if _, err := master.seal(strings.NewReader("short"), "x", key); err == nil {
		t.Error("sealed with too little randomness")
	}
}

func TestStates(t *testing.T) {
	for state, want := range map[State]struct{ written, served bool }{
		StateStaged: {true, false}, StateActive: {true, true}, StateDraining: {true, true},
		StateRetired: {false, false}, StateAborted: {false, false},
	} {
		e := newEpoch(t, 3)
		e.State = state
		if e.Over() {
			e = e.ended(state, e.Created)
		}
		if e.Written() != want.written || e.Served() != want.served {
			t.Errorf("%s: written %t, served %t, want %v", state, e.Written(), e.Served(), want)
		}
		master := MasterKey{secret.Value{1}}
		sealed, err := e.seal(rand.Reader, master)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openEpoch(3, sealed, master)
		if err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		wantEqual(t, got, e)
	}
}

// wantEqual checks that two epochs are the same, keys included.
func wantEqual(t *testing.T, got, want *Epoch) {
	t.Helper()
	if (got.Key == nil) != (want.Key == nil) || got.Key != nil && !got.Key.Value.Equal(want.Key.Value) ||
		!got.PublicKey.Equal(want.PublicKey) {
		t.Errorf("epoch %d has other keys", got.ID)
	}
	a, b := *got, *want
	a.Key, b.Key, a.PublicKey, b.PublicKey = nil, nil, nil, nil
	if a != b {
		t.Errorf("got %+v, want %+v", a, b)
	}
}

// FuzzOpenEpoch reads records that are no work of ours. Without the master key none opens that was not sealed by seal,
// and what opens says the same when it is sealed again.
func FuzzOpenEpoch(f *testing.F) {
	master := MasterKey{secret.Value{1}}
	sealed, err := newEpoch(f, 1).seal(rand.Reader, master)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(1), sealed)
	f.Add(uint32(2), sealed)
	f.Add(uint32(1), bytes.Replace(sealed, []byte("staged"), []byte("active"), 1))
	f.Add(uint32(1), bytes.Replace(sealed, []byte("staged"), []byte("resting"), 1))
	f.Add(uint32(1), bytes.Replace(sealed, []byte(`"bucket_bits":2`), []byte(`"bucket_bits":33`), 1))
	f.Add(uint32(1), bytes.Replace(sealed, []byte(`"created_ms":`), []byte(`"created_ms":9`), 1))
	f.Add(uint32(1), sealed[:len(sealed)-1])
	f.Add(uint32(0), []byte(`{}`))
	f.Add(uint32(0), []byte(`{"format":1,"suite":"ristretto255-SHA512","state":"active"}`))
	f.Add(uint32(0), []byte(`null`))
	f.Fuzz(func(t *testing.T, id uint32, data []byte) {
		e, err := openEpoch(id, data, master)
		if err != nil {
			if e != nil || (!errors.Is(err, ErrRecord) && !errors.Is(err, ErrSealed)) {
				t.Fatalf("got %v, %v, want ErrRecord or ErrSealed alone", e, err)
			}
			return
		}
		again, err := e.seal(rand.Reader, master)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openEpoch(id, again, master)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, got, e)
	})
}
