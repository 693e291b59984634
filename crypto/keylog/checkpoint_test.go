package keylog_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/keylog"
	"golang.org/x/mod/sumdb/tlog"
)

// TestRootRFC6962 has the tree of the reference implementation of Certificate Transparency: eight leaves, and the root
// after each.
func TestRootRFC6962(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var entries []string
	for i, want := range roots {
		root := keylog.Root(entries)
		if got := hex.EncodeToString(root[:]); got != want {
			t.Errorf("root of %d leaves: got %s, want %s", i, got, want)
		}
		if i < len(leaves) {
			leaf, err := hex.DecodeString(leaves[i])
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, string(leaf))
		}
	}
}

// TestRootsHoldInProofs checks the roots by the consistency and inclusion proofs of another implementation.
func TestRootsHoldInProofs(t *testing.T) {
	const size = 20
	var entries []string
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := int64(1); n <= size; n++ {
		text := epochEntry(uint32(n), byte(n)).String()
		hashes, err := tlog.StoredHashes(n-1, []byte(text), reader)
		if err != nil {
			t.Fatal(err)
		}
		entries, stored = append(entries, text), append(stored, hashes...)
		root := tlog.Hash(keylog.Root(entries))
		for m := int64(1); m <= n; m++ {
			consistency, err := tlog.ProveTree(n, m, reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(consistency, n, root, m, tlog.Hash(keylog.Root(entries[:m]))); err != nil {
				t.Errorf("%d entries do not extend %d: %v", n, m, err)
			}
			inclusion, err := tlog.ProveRecord(n, m-1, reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(inclusion, n, root, m-1, tlog.RecordHash([]byte(entries[m-1]))); err != nil {
				t.Errorf("entry %d is not among %d: %v", m-1, n, err)
			}
		}
	}
}

func TestRootBindsWhereEntriesEnd(t *testing.T) {
	lists := [][]string{nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"b", "a"}, {"ab", ""}, {"", "ab"}, {"a", "b", ""}, {"a", "b", "b"}}
	seen := make(map[[32]byte]int)
	for i, list := range lists {
		root := keylog.Root(list)
		if j, double := seen[root]; double {
			t.Errorf("%q and %q have one root", list, lists[j])
		}
		seen[root] = i
	}
}

func TestCheckpointText(t *testing.T) {
	c := keylog.Checkpoint{Origin: origin, Size: 12, Root: [32]byte(seed(0xa2))}
	const text = "kith.example/keylog\n12\noqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqI=\n"
	if got := c.Text(); got != text {
		t.Errorf("Text: got %q, want %q", got, text)
	}
	if got, err := keylog.ParseCheckpoint(text); err != nil || got != c {
		t.Errorf("ParseCheckpoint: got %+v and error %v, want %+v", got, err, c)
	}
	replace := func(old, with string) string { return strings.Replace(text, old, with, 1) }
	for name, altered := range map[string]string{
		"nothing":                      "",
		"no origin":                    replace(origin, ""),
		"origin with a space":          replace(origin, "kith example"),
		"origin with a plus sign":      replace(origin, "kith+example"),
		"origin with a tab":            replace(origin, "kith\texample"),
		"origin with a zero byte":      replace(origin, "kith\x00example"),
		"origin that is no UTF-8":      replace(origin, "kith\xffexample"),
		"origin too long":              replace(origin, strings.Repeat("o", keylog.MaxName+1)),
		"no size":                      replace("\n12\n", "\n\n"),
		"size with a leading zero":     replace("\n12\n", "\n012\n"),
		"size with a sign":             replace("\n12\n", "\n+12\n"),
		"negative size":                replace("\n12\n", "\n-12\n"),
		"size over 63 bits":            replace("\n12\n", "\n9223372036854775808\n"),
		"root of 31 bytes":             replace("oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqI=", "oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKiog=="),
		"root without padding":         replace("=", ""),
		"root with bits after its end": replace("oqI=", "oqJ="),
		"no root":                      "kith.example/keylog\n12\n\n",
		"two lines":                    "kith.example/keylog\n12\n",
		"an extension line":            text + "extension\n",
		"an empty line more":           text + "\n",
		"no last newline":              strings.TrimSuffix(text, "\n"),
		"CRLF":                         strings.ReplaceAll(text, "\n", "\r\n"),
		"over MaxCheckpoint":           text + strings.Repeat("x", keylog.MaxCheckpoint),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := keylog.ParseCheckpoint(altered); err != keylog.ErrCheckpoint || got != (keylog.Checkpoint{}) {
				t.Errorf("got %+v and error %v, want ErrCheckpoint", got, err)
			}
		})
	}
	for name, c := range map[string]keylog.Checkpoint{
		"an empty log":       {Origin: "o", Root: keylog.Root(nil)},
		"the largest size":   {Origin: "o", Size: 1<<63 - 1},
		"the longest origin": {Origin: strings.Repeat("o", keylog.MaxName)},
	} {
		if got, err := keylog.ParseCheckpoint(c.Text()); err != nil || got != c {
			t.Errorf("%s: got %+v and error %v, want %+v", name, got, err, c)
		}
	}
}
