package keylog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// RootSize is the length of the root of a tree in bytes.
const RootSize = 32

// Checkpoint is a tree head: the log, how many entries it has, and the root of the tree of their texts.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   [RootSize]byte
}

// Text returns the body of the checkpoint after C2SP tlog-checkpoint, three lines that end in newlines: the origin, the
// size in decimal, and the root in base64. It is what is signed, and what a device remembers.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ParseCheckpoint is the inverse of Checkpoint.Text. It returns ErrCheckpoint for a text that Text does not make of a
// valid origin and a size of zero or more, byte for byte. Extension lines are not accepted: this log has none.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(text) > MaxCheckpoint || len(lines) != 4 || !validName(lines[0]) {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return Checkpoint{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != RootSize {
		return Checkpoint{}, ErrCheckpoint
	}
	copy(c.Root[:], root)
	if c.Text() != text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// Root returns the root of the tree whose leaves are the texts of the entries (RFC 6962, Section 2.1). That of no entry
// is the SHA-256 of nothing.
func Root(entries []string) [RootSize]byte { return newTree(entries).root(len(entries)) }

// tree holds the hashes of all complete subtrees, in the order of tlog.StoredHashIndex.
type tree []tlog.Hash

func newTree(entries []string) tree {
	var t tree
	for i, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(i), []byte(entry), t)
		if err != nil {
			panic("keylog: a tree lacks a hash of its own")
		}
		t = append(t, hashes...)
	}
	return t
}

// root returns the root that the tree had after its first n entries.
func (t tree) root(n int) [RootSize]byte {
	hash, err := tlog.TreeHash(int64(n), t)
	if err != nil {
		panic("keylog: a tree lacks a hash of its own")
	}
	return hash
}

// ReadHashes implements tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = t[index]
	}
	return hashes, nil
}
