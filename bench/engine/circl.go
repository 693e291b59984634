package engine

import (
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"github.com/kith-project/kith/crypto/voprf"
)

// answer is what a server that is made of circl does for one request: its bytes decoded, evaluated with a proof, and encoded.
func (c *circl) answer(blinded []byte) (evaluated, proof []byte, err error) {
	elements, err := decode(blinded)
	if err != nil {
		return nil, nil, err
	}
	evaluation, err := c.server.Evaluate(&oprf.EvaluationRequest{Elements: elements})
	if err != nil {
		return nil, nil, err
	}
	if evaluated, err = encode(evaluation.Elements); err != nil {
		return nil, nil, err
	}
	proof, err = evaluation.Proof.MarshalBinary()
	return evaluated, proof, err
}

// blind is what a client that is made of circl does first.
func (c *circl) blind(inputs [][]byte) (blinded []byte, data *oprf.FinalizeData, err error) {
	data, request, err := c.client.Blind(inputs)
	if err != nil {
		return nil, nil, err
	}
	blinded, err = encode(request.Elements)
	return blinded, data, err
}

// finalize is what it does with the answer.
func (c *circl) finalize(data *oprf.FinalizeData, evaluated, proof []byte) (outputs [][]byte, err error) {
	evaluation, err := decodeEvaluation(evaluated, proof)
	if err != nil {
		return nil, err
	}
	return c.client.Finalize(data, evaluation)
}

// verifies reports whether circl accepts a proof for blinded elements whose inputs are not known.
func (c *circl) verifies(blinded, evaluated, proof []byte) bool {
	evaluation, err := decodeEvaluation(evaluated, proof)
	if err != nil {
		return false
	}
	elements, err := decode(blinded)
	if err != nil {
		return false
	}
	params := dleq.Params{G: group.Ristretto255, H: oprf.SuiteRistretto255.Hash(), DST: []byte("OPRFV1-\x01-" + voprf.Suite)}
	public := group.Ristretto255.NewElement().MulGen(c.scalar)
	return dleq.Verifier{Params: params}.VerifyBatchRFC9497(public, elements, evaluation.Elements, evaluation.Proof)
}

func decodeEvaluation(evaluated, proof []byte) (*oprf.Evaluation, error) {
	elements, err := decode(evaluated)
	if err != nil {
		return nil, err
	}
	evaluation := &oprf.Evaluation{Elements: elements, Proof: new(dleq.Proof)}
	return evaluation, evaluation.Proof.UnmarshalBinary(group.Ristretto255, proof)
}

// decode decodes packed elements.
func decode(packed []byte) ([]group.Element, error) {
	elements := make([]group.Element, len(packed)/voprf.ElementSize)
	for i := range elements {
		elements[i] = group.Ristretto255.NewElement()
		if err := elements[i].UnmarshalBinary(packed[i*voprf.ElementSize : (i+1)*voprf.ElementSize]); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

// encode packs elements.
func encode(elements []group.Element) ([]byte, error) {
	packed := make([]byte, 0, (len(elements)+2)*voprf.ElementSize)
	for _, e := range elements {
		encoded, err := e.MarshalBinaryCompress()
		if err != nil {
			return nil, err
		}
		packed = append(packed, encoded...)
	}
	return packed, nil
}
