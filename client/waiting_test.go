package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
)

// TestWaiting: what is known is looked up although the quota does not allow the rest, which the next Sync goes on with.
func TestWaiting(t *testing.T) {
	for _, m := range lookupModes {
		s := newFakeServer(t, map[string]string{"+14155550000": "zero", "+14155550005": "five"})
		s.maxElements = 2
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(3))
		s.join("+14155550001", "one")
		s.limited, s.told = true, `,"limit":9,"remaining":0`
		for _, step := range []struct {
			quota, evaluated, new int // new: numbers that wait
			matches               []string
		}{
			{0, 0, 3, []string{"+14155550000 zero", "+14155550001 one"}},
			{2, 2, 1, []string{"+14155550000 zero", "+14155550001 one"}},
			{0, 0, 1, []string{"+14155550000 zero", "+14155550001 one"}},
			{1, 1, 0, []string{"+14155550000 zero", "+14155550001 one", "+14155550005 five"}},
		} {
			s.quota = step.quota
			result := mustSync(t, o, manyContacts(6))
			if !slices.Equal(found(result), step.matches) || result.Evaluated != step.evaluated || result.Numbers != 6 || result.Deferred != 0 {
				t.Errorf("%s, quota %d: got %+v, want matches %v after %d evaluations", m, step.quota, result, step.matches, step.evaluated)
			}
			w := result.Waiting
			if (w != nil) != (step.new > 0) {
				t.Fatalf("%s, quota %d: got %+v, want %d numbers waiting", m, step.quota, w, step.new)
			}
			if w != nil && (w.New != step.new || w.Left != step.new || !w.Next.Equal(fakeNow.Add(time.Hour)) || w.Refusal.Limit != 9) {
				t.Errorf("%s, quota %d: got %+v, want %d numbers waiting for an hour", m, step.quota, w, step.new)
			}
		}
		if s.charged != 6 {
			t.Errorf("%s: charged %d, want each number once", m, s.charged)
		}
	}
}

// TestWaitingForOtherReasons: whatever puts evaluations off for long is like quota, and nothing else is.
func TestWaitingForOtherReasons(t *testing.T) {
	for _, tt := range []struct {
		status           int
		code, retryAfter string
		waits            bool
	}{
		{429, client.CodeYoungAccounts, "3600", true},
		{429, client.CodeQuotaExceeded, "1", true},
		{429, "", "", true},
		{503, client.CodeOverloaded, "3600", true},
		{503, client.CodeOverloaded, "1", false},
		{403, client.CodeAccountBlocked, "", false},
		{401, client.CodeUnauthorized, "", false},
	} {
		s := newFakeServer(t, map[string]string{"+14155550001": "one"})
		o := testOptions(s)
		mustSync(t, o, manyContacts(3))
		s.failFirst(100, "evaluations", func(w http.ResponseWriter) { problem(w, tt.status, tt.code, tt.retryAfter) })
		result, err := newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(4)))
		var got *client.ProblemError
		if tt.waits && (err != nil || len(result.Matches) != 1 || result.Waiting == nil || result.Waiting.Refusal.Code != tt.code || result.Waiting.Next.IsZero() != (tt.retryAfter == "")) {
			t.Errorf("%d %s: got %+v and %v, want a match and one number waiting", tt.status, tt.code, result, err)
		} else if !tt.waits && (!errors.As(err, &got) || got.Code != tt.code) {
			t.Errorf("%d %s: got %+v and %v, want the problem", tt.status, tt.code, result, err)
		}
	}
}

// TestWaitingInANewEpoch: when the epoch before has ended and the quota does not allow the new one at once, nobody who was found
// vanishes. In mode exact nothing is kept of who was, so that there is no answer.
func TestWaitingInANewEpoch(t *testing.T) {
	for _, m := range lookupModes {
		registered := map[string]string{"+14155550000": "zero", "+14155550002": "two"}
		s := newFakeServer(t, registered)
		s.maxElements = 1
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(3))
		s.rotate(2, registered)
		s.epochs[0].state = "retired"
		for quota, evaluated := range []int{0, 1} {
			s.limited, s.quota = true, quota
			result, err := newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(3)))
			if m == client.ModeExact && quota == 0 {
				if !isProblem(err, client.CodeQuotaExceeded) {
					t.Errorf("%s: got %+v and %v, want quota-exceeded", m, result, err)
				}
				continue
			}
			want := []string{"+14155550000 zero", "+14155550002 two"}
			if m == client.ModeExact {
				want = want[:1]
			}
			if err != nil || !slices.Equal(found(result), want) || result.Evaluated != evaluated || result.Epoch != 2 ||
				result.Waiting == nil || result.Waiting.New != 3-evaluated || result.Unconfirmed != 0 {
				t.Errorf("%s, quota %d: got %+v and %v, want %v", m, quota, result, err, want)
			}
		}
		s.limited = false
		s.leave("+14155550002")
		result := mustSync(t, o, manyContacts(3))
		if got := fmt.Sprint(found(result)); result.Waiting != nil || strings.Contains(got, "two") || len(result.Matches) != 1 {
			t.Errorf("%s, afterwards: got %+v, want zero alone", m, result)
		}
	}
}

// isProblem reports whether an error is the server's answer with a code.
func isProblem(err error, code string) bool {
	problem, is := errors.AsType[*client.ProblemError](err)
	return is && problem.Code == code
}
