package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
)

// FuzzEpochsStatus reads any answer about epochs and prints what the commands make of it. Whatever it is, no control character of it
// reaches the terminal.
func FuzzEpochsStatus(f *testing.F) {
	f.Add([]byte(`{"generation":12,"key_ceiling":1000,"epochs":[{"id":1,"state":"active","bucket_bits":8,"slots":96,"evaluations":999,` +
		`"created":"2026-11-25T00:00:00Z"},{"id":2,"state":"staged","from":1,"rotation":{"phase":"verify","items":4,"items_done":4,"records":9,` +
		`"records_done":8,"records_per_second":2,"eta_seconds":3,"repaired":1,"unreadable":4,"accepted":1}}]}`))
	f.Add([]byte(`{"key_ceiling":9223372036854775807,"epochs":[{"id":4294967295,"state":"\u001b[2J","bucket_bits":255,"rotation":{"phase":"settle",` +
		`"records":-1,"items":-1,"records_per_second":1e308,"eta_seconds":1e308,"unreadable":9223372036854775807}}]}`))
	f.Add([]byte(`{"key_ceiling":-1,"epochs":[{"state":"active","evaluations":-9223372036854775808,"rotation":{"phase":"\u0007"}}]}`))
	f.Add([]byte(`{"epochs":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := new(epochsStatus)
		if err := decodeAnswer(data, s); err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error is %q", err)
			}
			return
		}
		var out bytes.Buffer
		if err := printEpochs(&out, s); err != nil {
			t.Fatal(err)
		}
		text := out.String() + strings.Join(append(s.describe(), s.warnings()...), "\n")
		if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), unicode.IsControl) {
			t.Errorf("printed %q", text)
		}
		for _, e := range s.Epochs {
			if found := s.epoch(e.ID); found == nil || found.ID != e.ID {
				t.Errorf("epoch %d is not found", e.ID)
			}
			if e.Rotation != nil {
				_ = e.Rotation.stuck()
			}
		}
	})
}
