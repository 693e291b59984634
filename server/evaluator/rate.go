package evaluator

import (
	"crypto/rand"
	"time"

	"github.com/kith-project/kith/crypto/voprf"
)

// MeasureRate computes a group of elements, some ms, and returns how many a second that makes for one core: what an admission
// queue goes by before it has measured for itself. It returns an error if the system has no randomness.
func MeasureRate() (elementsPerSecond float64, err error) {
	key, err := voprf.GenerateKeyPair(rand.Reader)
	if err != nil {
		return 0, err
	}
	// Any elements will do. These are multiples of the generator.
	blinded := make([]byte, 0, groupElements*voprf.ElementSize)
	for len(blinded) < cap(blinded) {
		blinded = append(blinded, key.PublicKey().Bytes()...)
	}
	if _, _, err := key.BlindEvaluate(rand.Reader, blinded); err != nil { // warms memory up
		return 0, err
	}
	start := time.Now()
	if _, _, err := key.BlindEvaluate(rand.Reader, blinded); err != nil {
		return 0, err
	}
	return groupElements / time.Since(start).Seconds(), nil
}
