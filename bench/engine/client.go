package engine

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"time"

	"github.com/cloudflare/circl/oprf"

	"github.com/kith-project/kith/crypto/voprf"
)

// circlClient is the work of a client for its contacts, by circl. The server's part in between is not timed.
func (f *fixture) circlClient() (time.Duration, error) {
	inputs := f.inputs[:contacts]
	var blinded []byte
	var data *oprf.FinalizeData
	before, err := timed(func() (err error) {
		blinded, data, err = f.circl.blind(inputs)
		return err
	})
	if err != nil {
		return 0, err
	}
	evaluated, proof, err := f.key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		return 0, err
	}
	var outputs [][]byte
	after, err := timed(func() (err error) {
		outputs, err = f.circl.finalize(data, evaluated, proof[:])
		return err
	})
	if err != nil {
		return 0, err
	}
	return before + after, f.agree(outputs)
}

// client is circlClient by package voprf, and with the hash of the RFC's Finalize, which Kith does not need, so that both do the same.
func (f *fixture) client() (time.Duration, error) {
	inputs := f.inputs[:contacts]
	var blinds []voprf.BlindScalar
	var blinded []byte
	before, err := timed(func() (err error) {
		if blinds, err = voprf.RandomBlinds(rand.Reader, contacts); err == nil {
			blinded, err = voprf.Blind(inputs, blinds)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	evaluated, proof, err := f.key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		return 0, err
	}
	outputs := make([][]byte, contacts)
	after, err := timed(func() error {
		if err := f.key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
			return err
		}
		unblinded, err := voprf.Unblind(blinds, evaluated)
		if err != nil {
			return err
		}
		for i := range unblinded {
			outputs[i] = finalize(inputs[i], &unblinded[i])
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return before + after, f.agree(outputs)
}

// finalize is the end of Finalize of RFC 9497, Section 3.3.1.
func finalize(input []byte, n *voprf.UnblindedElement) []byte {
	t := binary.BigEndian.AppendUint16(nil, uint16(len(input)))
	t = append(t, input...)
	t = binary.BigEndian.AppendUint16(t, uint16(len(n.Value)))
	t = append(t, n.Value[:]...)
	sum := sha512.Sum512(append(t, "Finalize"...))
	return sum[:]
}

// agree returns ErrDiffer unless the outputs are those that there were before. They do not depend on blinds.
func (f *fixture) agree(outputs [][]byte) error {
	all := bytes.Join(outputs, nil)
	if f.outputs == nil {
		f.outputs = all
	}
	if !bytes.Equal(all, f.outputs) {
		return ErrDiffer
	}
	return nil
}
