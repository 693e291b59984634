package directory_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// goldenRecords are records with their stored form, put together by hand from the package comment.
var goldenRecords = []struct {
	name   string
	record directory.Record
	stored string
}{
	{
		"visible",
		directory.Record{
			Format: directory.Visible, Version: 0x00010203040506,
			Wrapped: crypto.WrappedElement(repeat("W", 32)), Label: crypto.SealedLabel([]byte("nnnnnnnnn\x00\x00\x00" + strings.Repeat("L", 64))),
		},
		"\x20\x01\x02\x03\x04\x05\x06" + strings.Repeat("W", 32) + "nnnnnnnnn" + strings.Repeat("L", 64),
	},
	{
		"hidden",
		directory.Record{
			Format: directory.Hidden, Version: 1,
			Wrapped: crypto.WrappedElement(repeat("W", 32)), Since: 0x0000018BCFE56800,
		},
		"\x40\x00\x00\x00\x00\x00\x01" + strings.Repeat("W", 32) + "\x00\x00\x01\x8B\xCF\xE5\x68\x00",
	},
	{
		"deleted, last version",
		directory.Record{
			Format: directory.Deleted, Version: directory.VersionEnd - 1,
			Wrapped: crypto.WrappedElement(repeat("W", 32)), Since: 1,
		},
		"\x7F\xFF\xFF\xFF\xFF\xFF\xFF" + strings.Repeat("W", 32) + "\x00\x00\x00\x00\x00\x00\x00\x01",
	},
}

func repeat(s string, n int) []byte { return []byte(strings.Repeat(s, n)) }

func TestRecordStoredForm(t *testing.T) {
	for _, c := range goldenRecords {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.record.MarshalBinary()
			if err != nil || string(b) != c.stored {
				t.Errorf("MarshalBinary: got %x, %v, want %x", b, err, c.stored)
			}
			var got directory.Record
			if err := got.UnmarshalBinary([]byte(c.stored)); err != nil || got != c.record {
				t.Errorf("UnmarshalBinary: got %+v, %v, want %+v", got, err, c.record)
			}
		})
	}
	if directory.VisibleSize != 112 || directory.TombstoneSize != 47 {
		t.Errorf("sizes: got %d and %d, want 112 and 47", directory.VisibleSize, directory.TombstoneSize)
	}
}

// malformedValues are stored values that are no records.
func malformedValues() map[string]string {
	visible, deleted := goldenRecords[0].stored, goldenRecords[2].stored
	return map[string]string{
		"empty":                      "",
		"a byte":                     "\x20",
		"a header":                   visible[:7],
		"visible, a byte short":      visible[:111],
		"visible, a byte long":       visible + "x",
		"visible, deleted's length":  visible[:47],
		"deleted, a byte short":      deleted[:46],
		"deleted, a byte long":       deleted + "x",
		"deleted, visible's length":  "\x60" + visible[1:],
		"format 0":                   "\x1f" + deleted[1:],
		"format 4":                   "\x80" + deleted[1:],
		"format 7":                   "\xFF" + visible[1:],
		"version 0":                  "\x20" + strings.Repeat("\x00", 6) + visible[7:],
		"version 0, deleted":         "\x60" + strings.Repeat("\x00", 6) + deleted[7:],
		"decimal digits of a length": strings.Repeat("1", 47),
	}
}

func TestRecordMalformed(t *testing.T) {
	for name, value := range malformedValues() {
		t.Run(name, func(t *testing.T) {
			before := goldenRecords[1].record
			r := before
			if err := r.UnmarshalBinary([]byte(value)); !errors.Is(err, directory.ErrRecord) {
				t.Errorf("got %v, want ErrRecord", err)
			}
			if r != before {
				t.Error("the receiver was changed")
			}
		})
	}
}

func TestRecordNotStorable(t *testing.T) {
	for _, c := range []struct {
		name   string
		record directory.Record
	}{
		{"zero value", directory.Record{}},
		{"format 0", directory.Record{Version: 1}},
		{"format 4", directory.Record{Format: 4, Version: 1}},
		{"version 0", directory.Record{Format: directory.Visible}},
		{"version 2^53", directory.Record{Format: directory.Deleted, Version: directory.VersionEnd}},
		{"label that is not sealed so", directory.Record{Format: directory.Visible, Version: 1, Label: crypto.SealedLabel{11: 1}}},
		{"version 2^64-1", directory.Record{Format: directory.Deleted, Version: 1<<64 - 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if b, err := c.record.MarshalBinary(); !errors.Is(err, directory.ErrRecord) || b != nil {
				t.Errorf("got %x, %v, want ErrRecord", b, err)
			}
		})
	}
}

// FuzzRecord holds that the encoding is unique: what decodes is encoded to the same bytes.
func FuzzRecord(f *testing.F) {
	for _, c := range goldenRecords {
		f.Add([]byte(c.stored))
	}
	for _, value := range malformedValues() {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var r directory.Record
		if err := r.UnmarshalBinary(value); err != nil {
			if !errors.Is(err, directory.ErrRecord) {
				t.Fatalf("got %v, want ErrRecord", err)
			}
			return
		}
		b, err := r.MarshalBinary()
		if err != nil || !bytes.Equal(b, value) {
			t.Fatalf("got %x, %v, want %x", b, err, value)
		}
	})
}
