package token

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// TestVerifiedIsBounded remembers three times as many tokens as there is room for: one that is used all along stays, and what is
// left is no more than twice the room.
func TestVerifiedIsBounded(t *testing.T) {
	var v verified
	from := &issuer{Issuer: Issuer{Keys: &Keys{}}}
	name := func(i int) (hash [32]byte) {
		binary.BigEndian.PutUint32(hash[:], uint32(i))
		return hash
	}
	for i := range 3 * rememberedTokens {
		v.remember(name(i), signed{from: from})
		if _, ok := v.find(name(0)); !ok {
			t.Fatalf("the token that is in use was forgotten after %d others", i)
		}
		if n := len(v.young) + len(v.aged); n > 2*rememberedTokens {
			t.Fatalf("%d tokens are remembered, want at most %d", n, 2*rememberedTokens)
		}
	}
	if _, ok := v.find(name(1)); ok {
		t.Error("a token of long ago is still remembered")
	}
}

// TestVerifiedKnowsWholeTokens uses a token again with another signature, with another scope, and when the issuer's keys were read
// again: it is remembered for what it is, and no more.
func TestVerifiedKnowsWholeTokens(t *testing.T) {
	s, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(DefaultAudience, s.Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Mint("alice", ScopeDiscover, DefaultAudience, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if account, err := v.Verify(text, ScopeDiscover); account != "alice" || err != nil {
			t.Fatalf("got %q and %v", account, err)
		}
	}
	if len(v.verified.young) != 1 {
		t.Fatalf("%d tokens are remembered, want 1", len(v.verified.young))
	}
	if _, err := v.Verify(text, ScopeOperate); err != ErrScope {
		t.Errorf("another scope: got %v, want ErrScope", err)
	}
	signedPart, signature := text[:strings.LastIndex(text, ".")+1], text[strings.LastIndex(text, ".")+1:]
	swapped := "A" + signature[1:]
	if swapped == signature {
		swapped = "B" + signature[1:]
	}
	for name, bad := range map[string]string{"another signature": signedPart + swapped, "none": signedPart, "a space more": text + " "} {
		if _, err := v.Verify(bad, ScopeDiscover); err != ErrToken {
			t.Errorf("%s: got %v, want ErrToken", name, err)
		}
	}
	if len(v.verified.young) != 1 {
		t.Errorf("%d tokens are remembered after bad ones, want 1", len(v.verified.young))
	}
	other, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	set, err := publicKeySet([]any{other.Public()})
	if err != nil {
		t.Fatal(err)
	}
	v.issuers[""].Keys.current.Store(set)
	if _, err := v.Verify(text, ScopeDiscover); err != ErrToken {
		t.Errorf("the key was withdrawn: got %v, want ErrToken", err)
	}
}
