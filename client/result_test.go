package client_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

func TestSkippedByReason(t *testing.T) {
	r := &client.Result{Skipped: []client.Skipped{
		{Reason: "too-short"}, {Reason: client.ReasonNoNumber}, {Reason: "too-short"}, {Reason: client.ReasonBrokenCard},
	}}
	got, err := json.Marshal(r.SkippedByReason())
	want := `[{"reason":"broken-card","count":1},{"reason":"no-number","count":1},{"reason":"too-short","count":2}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s and %v, want %s", got, err, want)
	}
	if got, _ := json.Marshal(new(client.Result).SkippedByReason()); string(got) != "[]" {
		t.Errorf("without any: got %s, want []", got)
	}
}

// TestExplain: each reason has a sentence of its own.
func TestExplain(t *testing.T) {
	reasons := []client.Reason{client.ReasonNoNumber, client.ReasonBrokenCard}
	for _, r := range normalize.Reasons() {
		if got := client.Reason(r).Explain(); got != r.Explain() {
			t.Errorf("%s: got %q, want that of package normalize", r, got)
		}
		reasons = append(reasons, client.Reason(r))
	}
	var seen []string
	for _, r := range reasons {
		if text := r.Explain(); text == "" || slices.Contains(seen, text) {
			t.Errorf("%s: %q is empty or another's", r, text)
		} else {
			seen = append(seen, text)
		}
	}
}
