package voprf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloudflare/circl/oprf"

	"github.com/kith-project/kith/crypto/ristretto"
)

type rfcSuite struct {
	Mode    int
	KeyInfo string
	Seed    string
	SkSm    string
	PkSm    string
	Vectors []struct {
		Batch                                                   int
		Blind, BlindedElement, EvaluationElement, Input, Output string
		Proof                                                   struct{ Proof, R string }
	}
}

// hexList decodes the comma-separated lists of a batch vector.
func hexList(t *testing.T, s string) [][]byte {
	t.Helper()
	var out [][]byte
	for part := range strings.SplitSeq(s, ",") {
		b, err := hex.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func loadSuite(t *testing.T) rfcSuite {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc9497-ristretto255-sha512.json")
	if err != nil {
		t.Fatal(err)
	}
	var suites []rfcSuite
	if err := json.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	for _, s := range suites {
		if s.Mode == Mode {
			return s
		}
	}
	t.Fatal("no vectors for mode 1")
	return rfcSuite{}
}

func TestVectorsRFC9497(t *testing.T) {
	suite := loadSuite(t)
	key, err := DeriveKeyPair(hexList(t, suite.Seed)[0], hexList(t, suite.KeyInfo)[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(key.Bytes()); got != suite.SkSm {
		t.Errorf("DeriveKeyPair: private key %s, want %s", got, suite.SkSm)
	}
	if got := hex.EncodeToString(key.PublicKey().Bytes()); got != suite.PkSm {
		t.Errorf("DeriveKeyPair: public key %s, want %s", got, suite.PkSm)
	}
	if len(suite.Vectors) != 3 {
		t.Fatalf("%d vectors, want 3", len(suite.Vectors))
	}
	for i, v := range suite.Vectors {
		t.Run(fmt.Sprintf("%d-batch-%d", i, v.Batch), func(t *testing.T) {
			inputs := hexList(t, v.Input)
			if len(inputs) != v.Batch {
				t.Fatalf("%d inputs, want %d", len(inputs), v.Batch)
			}
			var blinds []BlindScalar
			for _, b := range hexList(t, v.Blind) {
				blind, err := UnmarshalBlindScalar(b)
				if err != nil {
					t.Fatal(err)
				}
				blinds = append(blinds, blind)
			}
			blinded, err := Blind(inputs, blinds)
			if err != nil {
				t.Fatal(err)
			}
			if want := bytes.Join(hexList(t, v.BlindedElement), nil); !bytes.Equal(blinded, want) {
				t.Errorf("Blind: got %x, want %x", blinded, want)
			}

			nonces, answers := make([]ristretto.Scalar, 1), make([]Evaluation, 1)
			if err := decodeScalar(&nonces[0], hexList(t, v.Proof.R)[0]); err != nil {
				t.Fatal(err)
			}
			key.blindEvaluate(answers, nonces, [][]byte{blinded})
			if answers[0].Err != nil {
				t.Fatal(answers[0].Err)
			}
			evaluated, proof := answers[0].Evaluated, answers[0].Proof
			if want := bytes.Join(hexList(t, v.EvaluationElement), nil); !bytes.Equal(evaluated, want) {
				t.Errorf("BlindEvaluate: got %x, want %x", evaluated, want)
			}
			if got := hex.EncodeToString(proof[:]); got != v.Proof.Proof {
				t.Errorf("proof: got %s, want %s", got, v.Proof.Proof)
			}
			if err := key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
				t.Errorf("VerifyProof: %v", err)
			}

			// The published outputs are those of Finalize, which hashes N: reach them from Unblind.
			n, err := Unblind(blinds, evaluated)
			if err != nil {
				t.Fatal(err)
			}
			for j, want := range hexList(t, v.Output) {
				if got := finalizeOutput(inputs[j], n[j]); !bytes.Equal(got, want) {
					t.Errorf("output %d: got %x, want %x", j, got, want)
				}
			}
			direct, err := key.Evaluate(inputs)
			if err != nil {
				t.Fatal(err)
			}
			for j := range n {
				if !n[j].Equal(direct[j].Value) {
					t.Errorf("Evaluate and Unblind disagree on input %d", j)
				}
			}
		})
	}
}

// TestCirclIsTheOtherSide runs the protocol with circl's own VOPRF client and server at either end.
func TestCirclIsTheOtherSide(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, SeedSize)
	key, err := DeriveKeyPair(seed, []byte("interoperability"))
	if err != nil {
		t.Fatal(err)
	}
	circlKey, err := oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, seed, []byte("interoperability"))
	if err != nil {
		t.Fatal(err)
	}
	inputs := [][]byte{[]byte("tel:+14155550100"), []byte("tel:+14155550101"), []byte("")}

	t.Run("circl client", func(t *testing.T) {
		client := oprf.NewVerifiableClient(oprf.SuiteRistretto255, circlKey.Public())
		state, request, err := client.Blind(inputs)
		if err != nil {
			t.Fatal(err)
		}
		blinded := packCircl(t, request.Elements)
		evaluated, proof, err := key.BlindEvaluate(zeroReader{}, blinded)
		if err != nil {
			t.Fatal(err)
		}
		var answer oprf.Evaluation
		answer.Elements = circlElements(t, evaluated)
		answer.Proof = circlProof(t, proof)
		outputs, err := client.Finalize(state, &answer)
		if err != nil {
			t.Fatalf("circl refuses the evaluation: %v", err)
		}
		direct, _ := key.Evaluate(inputs)
		for i := range inputs {
			if want := finalizeOutput(inputs[i], direct[i]); !bytes.Equal(outputs[i], want) {
				t.Errorf("output %d: got %x, want %x", i, outputs[i], want)
			}
		}
	})

	t.Run("circl server", func(t *testing.T) {
		server := oprf.NewVerifiableServer(oprf.SuiteRistretto255, circlKey)
		blinds, err := RandomBlinds(zeroReader{}, len(inputs))
		if err != nil {
			t.Fatal(err)
		}
		blinded, err := Blind(inputs, blinds)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Evaluate(&oprf.EvaluationRequest{Elements: circlElements(t, blinded)})
		if err != nil {
			t.Fatal(err)
		}
		evaluated := packCircl(t, answer.Elements)
		encoded, err := answer.Proof.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var proof Proof
		copy(proof[:], encoded)
		if err := key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
			t.Errorf("VerifyProof of circl's proof: %v", err)
		}
	})
}

func TestInvalidEncodingsRFC9496(t *testing.T) {
	data, err := os.ReadFile("testdata/rfc9496-invalid.json")
	if err != nil {
		t.Fatal(err)
	}
	var invalid map[string][]string
	if err := json.Unmarshal(data, &invalid); err != nil {
		t.Fatal(err)
	}
	invalid["identity"] = []string{strings.Repeat("00", ElementSize)}
	key, err := DeriveKeyPair(make([]byte, SeedSize), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := key.PublicKey().Bytes()
	for class, encodings := range invalid {
		for _, encoding := range encodings {
			bad := hexList(t, encoding)[0]
			for name, batch := range map[string][]byte{
				"alone": bad,
				"first": append(append([]byte(nil), bad...), good...),
				"last":  append(append([]byte(nil), good...), bad...),
			} {
				if evaluated, _, err := key.BlindEvaluate(zeroReader{}, batch); err != ErrElement || evaluated != nil {
					t.Errorf("BlindEvaluate of %s %s (%s): got %v, want ErrElement", class, encoding, name, err)
				}
			}
			if _, err := UnmarshalPublicKey(bad); err != ErrElement {
				t.Errorf("UnmarshalPublicKey of %s %s: got %v, want ErrElement", class, encoding, err)
			}
			if _, err := Unblind(make([]BlindScalar, 1), bad); err != ErrElement {
				t.Errorf("Unblind of %s %s: got %v, want ErrElement", class, encoding, err)
			}
			if err := key.PublicKey().VerifyProof(good, bad, Proof{}); err != ErrElement {
				t.Errorf("VerifyProof of %s %s: got %v, want ErrElement", class, encoding, err)
			}
		}
	}
}
