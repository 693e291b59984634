package load

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
)

// idempotencyKeySize is the length of the keys of package client, bytes.
const idempotencyKeySize = 16

// evaluate has contacts evaluated, page by page. What was blinded before is sent as it is; otherwise the device computes
// everything.
func (v *visit) evaluate(ctx context.Context, contacts []*contact) error {
	for page := range slices.Chunk(contacts, v.g.epoch.maxElements) {
		blinds, blinded, err := v.blind(page)
		if err != nil {
			return err
		}
		a, err := v.requestEvaluation(ctx, blinded)
		if err != nil {
			return err
		}
		if err := v.checkEvaluation(page, blinds, blinded, a.body); err != nil {
			return err
		}
	}
	return nil
}

// blind returns the blinds of contacts and their packed blinded elements.
func (v *visit) blind(contacts []*contact) ([]voprf.BlindScalar, []byte, error) {
	if v.g.Precompute {
		return nil, blindedOf(contacts), nil
	}
	return blindAnew(contacts)
}

func blindAnew(contacts []*contact) ([]voprf.BlindScalar, []byte, error) {
	blinds, err := voprf.RandomBlinds(rand.Reader, len(contacts))
	if err != nil {
		return nil, nil, err
	}
	inputs := make([][]byte, len(contacts))
	for i, c := range contacts {
		inputs[i] = c.input()
	}
	blinded, err := voprf.Blind(inputs, blinds)
	return blinds, blinded, err
}

// requestEvaluation sends one page.
func (v *visit) requestEvaluation(ctx context.Context, blinded []byte) (answer, error) {
	token, err := v.g.Token(v.account)
	if err != nil {
		return answer{}, fmt.Errorf("load: token: %w", err)
	}
	key := make([]byte, idempotencyKeySize)
	if _, err := io.ReadFull(rand.Reader, key); err != nil {
		return answer{}, fmt.Errorf("load: reading randomness: %w", err)
	}
	return v.call(ctx, request{
		kind: KindEvaluations, method: http.MethodPost, url: v.g.path("evaluations"), body: blinded, accept: typePacked,
		token: token, idempotencyKey: base64.RawURLEncoding.EncodeToString(key),
	})
}

// checkEvaluation compares an answer with what was computed before. It verifies the proof if the answers of this device are
// checked, or if it computes for itself.
func (v *visit) checkEvaluation(contacts []*contact, blinds []voprf.BlindScalar, blinded, body []byte) error {
	if len(body) != len(blinded)+voprf.ProofSize {
		return v.g.checks.wrong(KindEvaluations, whatLength)
	}
	evaluated, proof := body[:len(blinded)], voprf.Proof(body[len(blinded):])
	if v.verify || blinds != nil {
		if v.g.epoch.publicKey.VerifyProof(blinded, evaluated, proof) != nil {
			return v.g.checks.wrong(KindEvaluations, whatProof)
		}
		v.g.checks.count(func(c *Checks) { c.Proofs++ })
	}
	v.g.checks.count(func(c *Checks) { c.Elements += len(contacts) })
	if blinds == nil {
		if !evaluatedAs(contacts, evaluated) {
			return v.g.checks.wrong(KindEvaluations, whatElement)
		}
		return nil
	}
	ns, err := voprf.Unblind(blinds, evaluated)
	if err != nil {
		return v.g.checks.wrong(KindEvaluations, whatForm)
	}
	for i, n := range ns {
		if tag, _ := crypto.Derive(n); tag != contacts[i].tag {
			return v.g.checks.wrong(KindEvaluations, whatTag)
		}
	}
	return nil
}

// prepare evaluates a page of contacts before the run, with all checks, and keeps what it gives.
func (v *visit) prepare(ctx context.Context, contacts []*contact) error {
	blinds, blinded, err := blindAnew(contacts)
	if err != nil {
		return err
	}
	a, err := v.requestEvaluation(ctx, blinded)
	if err != nil {
		return err
	}
	if len(a.body) != len(blinded)+voprf.ProofSize {
		return fmt.Errorf("%w: evaluations %s", ErrServer, whatLength)
	}
	evaluated, proof := a.body[:len(blinded)], voprf.Proof(a.body[len(blinded):])
	if err := v.g.epoch.publicKey.VerifyProof(blinded, evaluated, proof); err != nil {
		return fmt.Errorf("%w: evaluations: %w", ErrServer, err)
	}
	ns, err := voprf.Unblind(blinds, evaluated)
	if err != nil {
		return fmt.Errorf("%w: evaluations: %w", ErrServer, err)
	}
	for i, c := range contacts {
		at := i * voprf.ElementSize
		c.blinded, c.evaluated = blinded[at:at+voprf.ElementSize], evaluated[at:at+voprf.ElementSize]
		c.tag, c.key = crypto.Derive(ns[i])
	}
	return nil
}
