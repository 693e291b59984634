//go:build amd64 && !purego

package ristretto

import (
	"crypto/sha512"
	"encoding/binary"

	"github.com/kith-project/kith/crypto/ristretto/internal/sha512x8"
)

// This file hashes eight messages at a time, one to each lane of AVX-512. It is constant time in the messages, except for
// their lengths.

// hashLanes is the expander of [Hasher.expand] on lanes. What is the same for every message is prepared: the state after
// Z_pad, what follows a message in b_0, and all of b_1 but b_0.
type hashLanes struct {
	start  sha512x8.State
	end    []byte // what follows the message, the bit that ends it, and zeros for any message, but not its length
	added  int    // how many bytes of Z_pad and end count as hashed
	second []sha512x8.Block
	state  sha512x8.State
	block  sha512x8.Block
	bytes  [sha512x8.BlockSize]byte
}

// lengthSize is the length in bytes of what ends the last block: the bit length of what is hashed.
const lengthSize = 16

func newHashLanes(dstPrime []byte) expander {
	l := new(hashLanes)
	l.start.Reset()
	l.start.Compress(&l.block)
	l.end = append(append(l.end, lengthAndZero...), dstPrime...)
	l.added = sha512x8.BlockSize + len(l.end)
	l.end = append(append(l.end, 0x80), make([]byte, lengthSize+sha512x8.BlockSize)...)

	second := append(append(make([]byte, sha512.Size), first...), dstPrime...)
	length := 8 * uint64(len(second))
	second = append(second, 0x80)
	second = append(second, make([]byte, padding(len(second)+lengthSize)+lengthSize)...)
	binary.BigEndian.PutUint64(second[len(second)-8:], length)
	l.second = make([]sha512x8.Block, len(second)/sha512x8.BlockSize)
	for i := range l.second {
		l.second[i].SetAll((*[sha512x8.BlockSize]byte)(second[i*sha512x8.BlockSize:]))
	}
	return l
}

// padding returns how many bytes are missing to a multiple of the block's length.
func padding(n int) int { return -n & (sha512x8.BlockSize - 1) }

// expand fills lanes beyond the messages with what is there. A lane whose message has ended goes on with its last block,
// until the longest one ends too; its hash is taken before.
func (l *hashLanes) expand(dst []byte, messages [][]byte) {
	l.state = l.start
	left := len(messages)
	for i := 0; left > 0; i++ {
		for j, message := range messages {
			if i < l.blocks(message) {
				l.block.SetLane(j, l.blockOf(message, i))
			}
		}
		l.state.Compress(&l.block)
		for j, message := range messages {
			if i == l.blocks(message)-1 {
				for k := range l.state {
					l.second[0][k][j] = l.state[k][j]
				}
				left--
			}
		}
	}
	l.state.Reset()
	for i := range l.second {
		l.state.Compress(&l.second[i])
	}
	for j := range messages {
		l.state.Lane(j, (*[UniformSize]byte)(dst[j*UniformSize:]))
	}
}

// blocks returns how many blocks of b_0 there are from message on.
func (l *hashLanes) blocks(message []byte) int {
	return (l.added+len(message)+1+lengthSize+sha512x8.BlockSize-1)/sha512x8.BlockSize - 1
}

// blockOf returns block i of b_0 from message on, in the memory of the message or in l.bytes.
func (l *hashLanes) blockOf(message []byte, i int) *[sha512x8.BlockSize]byte {
	at := i * sha512x8.BlockSize
	if at+sha512x8.BlockSize <= len(message) {
		return (*[sha512x8.BlockSize]byte)(message[at:])
	}
	n := copy(l.bytes[:], message[min(at, len(message)):])
	copy(l.bytes[n:], l.end[at+n-len(message):])
	if i == l.blocks(message)-1 {
		binary.BigEndian.PutUint64(l.bytes[sha512x8.BlockSize-8:], 8*uint64(l.added+len(message)))
	}
	return &l.bytes
}

// wipe leaves what was prepared.
func (l *hashLanes) wipe() {
	clear(l.state[:])
	clear(l.block[:])
	clear(l.bytes[:])
	clear(l.second[0][:sha512.Size/8])
}
