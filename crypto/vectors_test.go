package crypto_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
)

// update rewrites the vectors; they change only with the protocol.
var update = flag.Bool("update", false, "rewrite testdata/kith-v1.json")

const vectorFile = "testdata/kith-v1.json"

// vectors is the form of testdata/kith-v1.json; all bytes are in hex. docs/protocol.md says what each member is.
type vectors struct {
	Comment    string   `json:"comment"`
	Seed       string   `json:"seed"`
	KeyInfo    string   `json:"key_info"`
	PrivateKey string   `json:"private_key"`
	PublicKey  string   `json:"public_key"`
	StorageKey string   `json:"storage_key"`
	Numbers    []vector `json:"numbers"`
	Proof      string   `json:"proof"`
}

type vector struct {
	Number      string `json:"number"`
	Input       string `json:"input"`
	Blind       string `json:"blind"`
	Blinded     string `json:"blinded_element"`
	Evaluated   string `json:"evaluated_element"`
	Unblinded   string `json:"unblinded_element"`
	Tag         string `json:"tag"`
	LabelKey    string `json:"label_key"`
	Label       string `json:"label"`
	LabelNonce  string `json:"label_nonce"`
	SealedLabel string `json:"sealed_label"`
	Wrapped     string `json:"wrapped_element"`
}

// counter is a reader of the bytes 0, 1, 2, ...: vectors must not depend on chance.
type counter struct{ next byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// makeVectors runs the protocol with fixed randomness.
func makeVectors(t *testing.T) vectors {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	seed := bytes.Repeat([]byte{0x4b}, voprf.SeedSize)
	key, err := voprf.DeriveKeyPair(seed, []byte("kith test vectors"))
	must(err)
	var storage crypto.StorageKey
	copy(storage.Value[:], bytes.Repeat([]byte{0x53}, crypto.StorageKeySize))

	numbers := []struct{ number, label string }{
		{"+14155550100", "user-1"}, {"+442079460958", ""}, {"+493023125000", "Zoë ✨"},
		{"+61491570006", "a label of exactly forty-seven bytes of UTF-8.."},
	}
	inputs := make([][]byte, len(numbers))
	for i, n := range numbers {
		inputs[i] = []byte("tel:" + n.number)
	}
	random := new(counter)
	blinds, err := voprf.RandomBlinds(random, len(inputs))
	must(err)
	blinded, err := voprf.Blind(inputs, blinds)
	must(err)
	evaluated, proof, err := key.BlindEvaluate(random, blinded)
	must(err)
	must(key.PublicKey().VerifyProof(blinded, evaluated, proof))
	unblinded, err := voprf.Unblind(blinds, evaluated)
	must(err)

	v := vectors{
		Comment: "Kith protocol vectors, version 1: see docs/protocol.md. Bytes in hex. The proof is under a nonce " +
			"that is not given, since a client only verifies it.",
		Seed: hex.EncodeToString(seed), KeyInfo: hex.EncodeToString([]byte("kith test vectors")),
		PrivateKey: hex.EncodeToString(key.Bytes()), PublicKey: hex.EncodeToString(key.PublicKey().Bytes()),
		StorageKey: hex.EncodeToString(storage.Bytes()), Proof: hex.EncodeToString(proof[:]),
	}
	for i, n := range numbers {
		tag, labelKey := crypto.Derive(unblinded[i])
		sealed, err := labelKey.Seal(random, tag, n.label)
		must(err)
		wrapped := storage.Wrap(tag, unblinded[i])
		at := func(packed []byte) string {
			return hex.EncodeToString(packed[i*voprf.ElementSize : (i+1)*voprf.ElementSize])
		}
		v.Numbers = append(v.Numbers, vector{
			Number: n.number, Input: string(inputs[i]), Blind: hex.EncodeToString(blinds[i].Bytes()),
			Blinded: at(blinded), Evaluated: at(evaluated), Unblinded: hex.EncodeToString(unblinded[i].Bytes()),
			Tag: hex.EncodeToString(tag[:]), LabelKey: hex.EncodeToString(labelKey.Bytes()), Label: n.label,
			LabelNonce: hex.EncodeToString(sealed[:12]), SealedLabel: hex.EncodeToString(sealed[:]),
			Wrapped: hex.EncodeToString(wrapped[:]),
		})
	}
	return v
}

func TestVectorsKith(t *testing.T) {
	made := makeVectors(t)
	if *update {
		data, err := json.MarshalIndent(made, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Numbers) != len(made.Numbers) {
		t.Fatalf("%d numbers in the file, want %d", len(want.Numbers), len(made.Numbers))
	}
	for i := range want.Numbers {
		if made.Numbers[i] != want.Numbers[i] {
			t.Errorf("number %d: got %+v, want %+v", i, made.Numbers[i], want.Numbers[i])
		}
	}
	made.Numbers, want.Numbers = nil, nil
	if got, want := fmt.Sprint(made), fmt.Sprint(want); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
