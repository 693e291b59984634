package token

import (
	"crypto/sha256"
	"sync"
)

const (
	// rememberedTokens is how many tokens are remembered at least, once there were as many; at most it is twice that.
	rememberedTokens = 16 << 10
	// maxRemembered is the longest token that is remembered, in bytes, so that all of them take 50 MB at most.
	maxRemembered = 1 << 10
)

// verified remembers which tokens were signed by a key of their issuer, since checking a signature takes longer than all else that a
// small request costs, and a device sends several requests with one token. Tokens are known by their SHA-256. It is no more than
// that: claims are validated each time, and signatures anew once the issuer's keys were read again. It may be used by many
// goroutines.
type verified struct {
	mu          sync.Mutex
	young, aged map[[sha256.Size]byte]signed // aged is what young was when that was full
}

// signed is a token whose signature is right.
type signed struct {
	claims claims
	from   *issuer
	set    *keySet // those that were the issuer's keys before the signature was checked
}

// find returns what is remembered of a token, if its issuer's keys are still the same.
func (v *verified) find(hash [sha256.Size]byte) (signed, bool) {
	v.mu.Lock()
	s, ok := v.young[hash]
	if !ok {
		if s, ok = v.aged[hash]; ok {
			v.put(hash, s)
		}
	}
	v.mu.Unlock()
	return s, ok && s.set == s.from.Keys.current.Load()
}

// remember remembers a token.
func (v *verified) remember(hash [sha256.Size]byte, s signed) {
	v.mu.Lock()
	v.put(hash, s)
	v.mu.Unlock()
}

// put is remember for who has the lock.
func (v *verified) put(hash [sha256.Size]byte, s signed) {
	if v.young == nil || len(v.young) >= rememberedTokens {
		v.young, v.aged = make(map[[sha256.Size]byte]signed), v.young
	}
	v.young[hash] = s
}
