package filter_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
)

func TestChangesWireForm(t *testing.T) {
	changes := []filter.Change{
		{Prefix: filter.Prefix(crypto.Tag{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), Visible: true},
		{Prefix: filter.Prefix(crypto.Tag{0xFF, 7: 0xFE, 8: 0xFD}), Visible: false},
	}
	var got []byte
	for _, c := range changes {
		got = filter.AppendChange(got, c)
	}
	want := []byte("+\x01\x02\x03\x04\x05\x06\x07\x08-\xFF\x00\x00\x00\x00\x00\x00\xFE")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if parsed, err := filter.ParseChanges(got); err != nil || !slices.Equal(parsed, changes) {
		t.Errorf("ParseChanges: got %v, %v, want %v", parsed, err, changes)
	}
	if parsed, err := filter.ParseChanges(nil); err != nil || len(parsed) != 0 {
		t.Errorf("no changes: got %v, %v, want none", parsed, err)
	}
}

func TestParseChangesRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"one byte":               "+",
		"a byte short":           "+1234567",
		"a byte long":            "+12345678-",
		"second a byte short":    "+12345678-1234567",
		"unknown operation":      "*12345678",
		"unknown operation last": "+12345678-12345678=12345678",
		"zeros":                  "\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		if changes, err := filter.ParseChanges([]byte(text)); !errors.Is(err, filter.ErrChanges) || changes != nil {
			t.Errorf("%s: got %v, %v, want ErrChanges", name, changes, err)
		}
	}
}
