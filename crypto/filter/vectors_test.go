package filter_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/bits"
	"os"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
)

// update rewrites the vectors; they change only with the wire form.
var update = flag.Bool("update", false, "rewrite testdata/kbf1.json")

const vectorFile = "testdata/kbf1.json"

// vectors is the form of testdata/kbf1.json; all bytes are in hex.
type vectors struct {
	Comment string   `json:"comment"`
	Filters []vector `json:"filters"`
}

type vector struct {
	Name   string   `json:"name"`
	Filter string   `json:"filter"`
	In     []string `json:"contains"`
	Out    []string `json:"contains_not"`
}

// makeVectors builds filters of fixed tags.
func makeVectors(t *testing.T) vectors {
	v := vectors{Comment: "Filters as described in the package comment of crypto/filter, with tags that they contain and tags that they do not. Bytes in hex."}
	for _, n := range []int{0, 1, 5, 40} {
		in := randomTags(uint64(n), n)
		f := build(t, keys(in))
		entry := vector{Name: fmt.Sprintf("%d tags", n), Filter: hex.EncodeToString(marshal(t, f)), In: []string{}}
		for _, tag := range in {
			entry.In = append(entry.In, hex.EncodeToString(tag[:]))
		}
		for _, tag := range randomTags(1000, 8) {
			if !f.Contains(tag) {
				entry.Out = append(entry.Out, hex.EncodeToString(tag[:]))
			}
		}
		v.Filters = append(v.Filters, entry)
	}
	return v
}

// containsByTheBook is what the package comment says under "Asking", for bytes that are known to be valid.
func containsByTheBook(b []byte, tag crypto.Tag) bool {
	seed := binary.BigEndian.Uint64(b[4:])
	length := uint64(binary.BigEndian.Uint32(b[12:]))
	count := uint64(binary.BigEndian.Uint32(b[16:]))
	if count == 0 {
		return false
	}
	h := binary.BigEndian.Uint64(tag[8:]) + seed
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h = h ^ h>>33
	p0, _ := bits.Mul64(h, count*length)
	p1 := (p0 + length) ^ (h >> 18 % length)
	p2 := (p0 + 2*length) ^ (h % length)
	f := func(p uint64) uint16 { return binary.BigEndian.Uint16(b[20+2*p:]) }
	return f(p0)^f(p1)^f(p2) == uint16(h^h>>32)
}

func TestVectors(t *testing.T) {
	if *update {
		text, err := json.MarshalIndent(makeVectors(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for _, entry := range v.Filters {
		t.Run(entry.Name, func(t *testing.T) {
			encoded := unhex(t, entry.Filter)
			f, err := filter.Unmarshal(encoded)
			if err != nil {
				t.Fatal(err)
			}
			check := func(texts []string, want bool) []crypto.Tag {
				var tags []crypto.Tag
				for _, text := range texts {
					tag := crypto.Tag(unhex(t, text))
					tags = append(tags, tag)
					if got, book := f.Contains(tag), containsByTheBook(encoded, tag); got != want || book != want {
						t.Errorf("%s: got %t, by the package comment %t, want %t", text, got, book, want)
					}
				}
				return tags
			}
			in := check(entry.In, true)
			check(entry.Out, false)
			if built := marshal(t, build(t, keys(in))); !bytes.Equal(built, encoded) {
				t.Errorf("Build: got %x, want %x", built, encoded)
			}
		})
	}
}

// TestContainsIsAsDocumented compares Contains with the package comment on larger filters, false positives included.
func TestContainsIsAsDocumented(t *testing.T) {
	for _, n := range []int{3, 1000, 70_000} {
		in := randomTags(uint64(n), n)
		f := build(t, keys(in))
		encoded := marshal(t, f)
		for _, tag := range append(randomTags(99, 200_000), in...) {
			if got, want := f.Contains(tag), containsByTheBook(encoded, tag); got != want {
				t.Fatalf("%d tags: got %t, by the package comment %t", n, got, want)
			}
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
