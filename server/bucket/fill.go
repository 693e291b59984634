package bucket

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/secret"
)

// FillKey is what the fill of an epoch is made from, 32 bytes. All servers have the same, so that it does not matter which
// of them is asked.
type FillKey struct{ secret.Value }

// DeriveFillKey returns HKDF-SHA256(storage key, no salt, "kith bucket fill v1 epoch <number>").
func DeriveFillKey(storage crypto.StorageKey, epoch uint32) FillKey {
	out, err := hkdf.Key(sha256.New, storage.Value[:], nil, fmt.Sprintf("kith bucket fill v1 epoch %d", epoch), secret.Size)
	if err != nil {
		panic("bucket: HKDF-SHA256 is not available: " + err.Error())
	}
	defer clear(out)
	return FillKey{secret.Value(out)}
}

// The streams of a bucket: AES-256-CTR under the fill key from the block
//
//	bucket, 4 bytes | kind, 1 byte | zeros, 7 bytes | counter of blocks, 4 bytes
//
// Value i of the fill is the short tag whose free bits are the last of bytes 0 to 7 of block i of the first stream, with
// the sealed label whose stored form is bytes 0 to 72 of blocks 5i to 5i+4 of the second: its nonce ends in zeros as every other
// one does. A value does not depend on how many there are, so raising the slots adds to the fill and changes nothing, unless the
// short tags become longer.
const (
	kindTags   = 't'
	kindLabels = 'l'

	labelBlocks = 5 // of 16 bytes for the 73 of a label's stored form
)

// padder pads buckets of one epoch. Its methods may be called concurrently.
type padder struct {
	block cipher.Block
}

func newPadder(key FillKey) *padder {
	block, err := aes.NewCipher(key.Value[:])
	if err != nil {
		panic("bucket: AES-256 is not available: " + err.Error())
	}
	return &padder{block}
}

// stream returns the blocks of a bucket's stream from first on, 16 bytes each.
func (p *padder) stream(kind byte, bucket uint32, first, blocks int) []byte {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint32(iv[:], bucket)
	iv[4] = kind
	binary.BigEndian.PutUint32(iv[12:], uint32(first))
	out := make([]byte, blocks*aes.BlockSize)
	cipher.NewCTR(p.block, iv[:]).XORKeyStream(out, out)
	return out
}

// fill returns the fill of a bucket with registrations of the given keys, in ascending order: the first values of its
// stream that make up its slots, leaving out those that are a registration's short tag or were there before. One more
// registration therefore takes the place of exactly one value, and of none if it has a value's short tag.
func (p *padder) fill(f Format, bucket uint32, keys []uint64) []slot {
	missing := f.Slots - len(keys)
	fill := make([]slot, 0, missing)
	for i := 0; len(fill) < missing; {
		for block := range slices.Chunk(p.stream(kindTags, bucket, i, missing-len(fill)), aes.BlockSize) {
			short := f.fillShort(bucket, binary.BigEndian.Uint64(block))
			at, taken := slices.BinarySearchFunc(fill, short, compareShort)
			if !taken && !f.registered(keys, short) {
				fill = slices.Insert(fill, at, slot{short: short, index: i, fill: true})
			}
			i++
		}
	}
	return fill
}

// registered reports whether a key of the sorted keys has the short tag.
func (f Format) registered(keys []uint64, short uint64) bool {
	_, found := slices.BinarySearchFunc(keys, short, func(key, short uint64) int {
		return compare(f.short(key), short)
	})
	return found
}
