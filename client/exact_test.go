package client

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
)

func FuzzDecodeMatches(f *testing.F) {
	tag := bytes.Repeat([]byte{1}, crypto.TagSize)
	match := append(bytes.Clone(tag), make([]byte, crypto.SealedLabelSize)...)
	f.Add(match, tag)
	f.Add(append(bytes.Clone(match), match...), tag)
	f.Add([]byte{}, []byte{})
	f.Add(match[1:], tag)
	f.Fuzz(func(t *testing.T, answer, packed []byte) {
		var asked []crypto.Tag
		for ; len(packed) >= crypto.TagSize; packed = packed[crypto.TagSize:] {
			asked = append(asked, crypto.Tag(packed[:crypto.TagSize]))
		}
		matches, err := decodeMatches(answer, asked)
		if err != nil {
			if !errors.Is(err, ErrAnswer) {
				t.Fatalf("got error %v, want ErrAnswer", err)
			}
			return
		}
		var again []byte
		for _, m := range matches {
			if !slices.Contains(asked, m.tag) {
				t.Error("a match was not asked for")
			}
			again = append(append(again, m.tag[:]...), m.label[:]...)
		}
		if !bytes.Equal(again, answer) || len(matches) > len(asked) {
			t.Errorf("%d matches of %d tags do not encode to what was decoded", len(matches), len(asked))
		}
	})
}
