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
			Wrapped: crypto.WrappedElement(repeat("W", 32)), Label: crypto.SealedLabel(repeat("L", 76)),
		},
		"\x01" + "\x00\x01\x02\x03\x04\x05\x06" + strings.Repeat("W", 32) + strings.Repeat("L", 76),
	},
	{
		"hidden",
		directory.Record{
			Format: directory.Hidden, Version: 1,
			Wrapped: crypto.WrappedElement(repeat("W", 32)), Since: 0x0000018BCFE56800,
		},
		"\x02" + "\x00\x00\x00\x00\x00\x00\x01" + strings.Repeat("W", 32) + "\x00\x00\x01\x8B\xCF\xE5\x68\x00",
	},
	{
		"deleted, last version",
		directory.Record{
			Format: directory.Deleted, Version: directory.VersionEnd - 1,
			Wrapped: crypto.WrappedElement(repeat("W", 32)), Since: 1,
		},
		"\x03" + "\x1F\xFF\xFF\xFF\xFF\xFF\xFF" + strings.Repeat("W", 32) + "\x00\x00\x00\x00\x00\x00\x00\x01",
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
	if directory.VisibleSize != 116 || directory.TombstoneSize != 48 {
		t.Errorf("sizes: got %d and %d, want 116 and 48", directory.VisibleSize, directory.TombstoneSize)
	}
}

// malformedValues are stored values that are no records.
func malformedValues() map[string]string {
	visible, deleted := goldenRecords[0].stored, goldenRecords[2].stored
	return map[string]string{
		"empty":                      "",
		"a byte":                     "\x01",
		"visible, a byte short":      visible[:115],
		"visible, a byte long":       visible + "x",
		"visible, deleted's length":  visible[:48],
		"deleted, a byte short":      deleted[:47],
		"deleted, a byte long":       deleted + "x",
		"deleted, visible's length":  "\x03" + visible[1:],
		"format 0":                   "\x00" + deleted[1:],
		"format 4":                   "\x04" + deleted[1:],
		"format 255":                 "\xFF" + visible[1:],
		"version 0":                  "\x01" + strings.Repeat("\x00", 7) + visible[8:],
		"version 2^53":               "\x01" + "\x20" + strings.Repeat("\x00", 6) + visible[8:],
		"version 2^56-1":             "\x03" + strings.Repeat("\xFF", 7) + deleted[8:],
		"decimal digits of a length": strings.Repeat("1", 116),
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
