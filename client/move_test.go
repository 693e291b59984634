package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
)

// rotate makes epoch to the active one, whose registrations are those given, and lets the one before drain. Devices move
// within the hour before fakeNow.
func (s *fakeServer) rotate(to uint32, registered map[string]string) {
	from := s.epochs[len(s.epochs)-1]
	from.state = "draining"
	s.addEpoch(to, "active", registered)
	s.migration = map[string]any{
		"from": from.id, "to": to, "begins": fakeNow.Add(-time.Hour).Unix(), "ends": fakeNow.Unix(),
	}
}

// epochsAsked returns the epochs in the paths of requests, each once, in the order of the first request.
func epochsAsked(requests []seenRequest) []uint32 {
	var asked []uint32
	for _, r := range requests {
		var id uint32
		if _, err := fmt.Sscanf(r.path, "/v1/epochs/%d/", &id); err == nil && !slices.Contains(asked, id) {
			asked = append(asked, id)
		}
	}
	return asked
}

// storedLots returns the lots in a state, by epoch, as the part of the window that they stand for.
func storedLots(t *testing.T, store client.StateStore) map[uint32]float64 {
	t.Helper()
	var stored struct {
		Epochs []struct {
			ID  uint32 `json:"id"`
			Lot uint32 `json:"lot"`
		} `json:"epochs"`
	}
	data, err := store.Load(t.Context())
	if err != nil || json.Unmarshal(data, &stored) != nil {
		t.Fatalf("no state: %v", err)
	}
	lots := make(map[uint32]float64)
	for _, e := range stored.Epochs {
		if e.Lot != 0 {
			lots[e.ID] = float64(e.Lot) / (1 << 32)
		}
	}
	return lots
}

// TestMoment: a device draws once when it moves, works in the old epoch until then, and goes by the server's clock. The
// server is an hour ahead of the device.
func TestMoment(t *testing.T) {
	registered := map[string]string{"+14155550001": "one"}
	seen := make(map[float64]bool)
	for seed := range byte(3) {
		s := newFakeServer(t, registered)
		o := testOptions(s)
		mustSync(t, o, manyContacts(2))
		s.rotate(2, registered)
		begins, length := fakeNow.Add(time.Hour), 10*time.Hour
		s.migration["begins"], s.migration["ends"] = begins.Unix(), begins.Add(length).Unix()
		o.Rand = seededRand(seed)
		s.date = begins.Add(-time.Second)
		mustSync(t, o, manyContacts(2))
		lot := storedLots(t, o.State)[2]
		moment := begins.Add(time.Duration(lot * float64(length))).Truncate(time.Second)
		for _, step := range []struct {
			at   time.Time
			want uint32
		}{{moment.Add(-time.Second), 1}, {moment, 2}, {moment.Add(-time.Minute), 2}} {
			s.date = step.at
			if got := mustSync(t, o, manyContacts(2)); got.Epoch != step.want || got.Moving != nil || len(got.Matches) != 1 {
				t.Errorf("seed %d at %v of a moment at %v: got %+v, want epoch %d", seed, step.at, moment, got, step.want)
			}
		}
		if again := storedLots(t, o.State); lot == 0 || again[2] != lot || len(again) != 1 {
			t.Errorf("seed %d: drew %v and later %v, want one draw", seed, lot, again)
		}
		seen[lot] = true
	}
	if len(seen) != 3 {
		t.Errorf("devices drew %v, want 3 different parts of the window", seen)
	}
}

func TestMomentWithoutADate(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	mustSync(t, o, manyContacts(2))
	s.rotate(2, nil)
	for _, step := range []struct {
		at   time.Time
		want uint32
	}{{fakeNow.Add(-time.Hour), 1}, {fakeNow, 2}} {
		if got := syncAt(t, o, step.at, manyContacts(2)); got.Epoch != step.want {
			t.Errorf("at %v: got epoch %d, want %d", step.at, got.Epoch, step.want)
		}
	}
}

// TestWithoutAWindow: devices move at once.
func TestWithoutAWindow(t *testing.T) {
	for _, window := range []map[string]any{nil, {"from": 2, "to": 3, "begins": 1, "ends": fakeNow.Unix() * 2}} {
		s := newFakeServer(t, nil)
		o := testOptions(s)
		mustSync(t, o, manyContacts(2))
		s.rotate(2, nil)
		s.migration = window
		if got := mustSync(t, o, manyContacts(2)); got.Epoch != 2 {
			t.Errorf("window %v: got epoch %d, want 2", window, got.Epoch)
		}
	}
}

// TestBeforeTheMoment a device works in the draining epoch as if nothing was, and a new one begins in the active epoch.
func TestBeforeTheMoment(t *testing.T) {
	for _, m := range lookupModes {
		registered := map[string]string{"+14155550000": "zero"}
		s := newFakeServer(t, registered)
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(2))
		s.rotate(2, registered)
		s.date = fakeNow.Add(-2 * time.Hour)
		s.join("+14155550001", "one")
		s.join("+14155550003", "three")
		s.requests = nil
		result := mustSync(t, o, manyContacts(4))
		if got := found(result); !slices.Equal(got, []string{"+14155550000 zero", "+14155550001 one", "+14155550003 three"}) {
			t.Errorf("%s: got %v", m, got)
		}
		if result.Epoch != 1 || result.Evaluated != 2 || result.Moving != nil || !slices.Equal(epochsAsked(s.requests), []uint32{1}) {
			t.Errorf("%s: got %+v by requests of epochs %v, want all in epoch 1", m, result, epochsAsked(s.requests))
		}
		s.requests = nil
		o.State, o.Cache = client.MemoryState(), client.MemoryCache()
		if result := mustSync(t, o, manyContacts(4)); result.Epoch != 2 || !slices.Equal(epochsAsked(s.requests), []uint32{2}) {
			t.Errorf("%s, a new device: got %+v by requests of epochs %v, want all in epoch 2", m, result, epochsAsked(s.requests))
		}
	}
}

// TestMoveWithinQuota: as long as the quota does not allow the move, the device answers from the old epoch, and says so.
func TestMoveWithinQuota(t *testing.T) {
	for _, m := range lookupModes {
		registered := map[string]string{"+14155550000": "zero", "+14155550005": "five"}
		s := newFakeServer(t, registered)
		s.maxElements = 2
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(5))
		s.rotate(2, registered)
		s.join("+14155550001", "one")
		s.limited = true
		for _, step := range []struct {
			quota, evaluated int
			moving           *client.Moving
			matches          []string
		}{
			{1, 0, &client.Moving{From: 1, To: 2, Left: 6, New: 1}, []string{"+14155550000 zero", "+14155550001 one"}},
			{3, 2, &client.Moving{From: 1, To: 2, Left: 4, New: 1}, []string{"+14155550000 zero", "+14155550001 one"}},
			{4, 4, nil, []string{"+14155550000 zero", "+14155550001 one", "+14155550005 five"}},
		} {
			s.quota, s.requests = step.quota, nil
			result := mustSync(t, o, manyContacts(6))
			if !slices.Equal(found(result), step.matches) || result.Evaluated != step.evaluated || result.Numbers != 6 {
				t.Errorf("%s, quota %d: got %+v, want matches %v after %d evaluations", m, step.quota, result, step.matches, step.evaluated)
			}
			var lookups []seenRequest
			for _, r := range s.requests {
				if !strings.HasSuffix(r.path, "evaluations") {
					lookups = append(lookups, r)
				}
			}
			want := uint32(2)
			if step.moving != nil {
				want, step.moving.Next = 1, fakeNow.Add(time.Hour)
			}
			if fmt.Sprint(result.Moving) != fmt.Sprint(step.moving) || result.Epoch != want || !slices.Equal(epochsAsked(lookups), []uint32{want}) {
				t.Errorf("%s, quota %d: got %+v by lookups in %v, want %+v and epoch %d", m, step.quota, result.Moving, epochsAsked(lookups), step.moving, want)
			}
		}
		if s.epochs[0].charged != 5 || s.epochs[1].charged != 6 {
			t.Errorf("%s: charged %d and %d, want each number once in each epoch: 5 and 6", m, s.epochs[0].charged, s.epochs[1].charged)
		}
	}
}

// TestMoveGoesOn although a server's clock says that the moment has not come.
func TestMoveGoesOn(t *testing.T) {
	s := newFakeServer(t, nil)
	s.maxElements = 2
	o := testOptions(s)
	mustSync(t, o, manyContacts(3))
	s.rotate(2, nil)
	s.limited, s.quota = true, 2
	if result := mustSync(t, o, manyContacts(3)); result.Moving == nil || result.Moving.Left != 1 {
		t.Fatalf("got %+v, want a move that waits", result)
	}
	s.date, s.limited = fakeNow.Add(-2*time.Hour), false
	if result := mustSync(t, o, manyContacts(3)); result.Epoch != 2 || result.Evaluated != 1 {
		t.Errorf("got %+v, want epoch 2", result)
	}
}

// TestKeyOfADrainingEpochChanged: what was seen first holds for it too.
func TestKeyOfADrainingEpochChanged(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	mustSync(t, o, manyContacts(3))
	s.rotate(2, nil)
	s.epochs[0].key = s.epochs[1].key
	s.requests = nil
	if err := syncError(t, o); !errors.Is(err, client.ErrKeyChanged) || len(s.requests) != 1 {
		t.Errorf("got error %v after %d requests, want ErrKeyChanged after 1", err, len(s.requests))
	}
}

// TestMoveThatFails for other reasons than quota is an error, which says what is wrong.
func TestMoveThatFails(t *testing.T) {
	for _, tt := range []struct {
		name             string
		status           int
		code, retryAfter string
		waits            bool
	}{
		{"quota", 429, client.CodeQuotaExceeded, "3600", true},
		{"quota for shorter, again and again", 429, client.CodeQuotaExceeded, "1", true},
		{"overloaded for long", 503, client.CodeOverloaded, "3600", true},
		{"a server that has not heard of it", 404, client.CodeUnknownEpoch, "", true},
		{"overloaded", 503, client.CodeOverloaded, "1", false},
		{"unauthorized", 401, client.CodeUnauthorized, "", false},
		{"too many elements", 413, client.CodeTooManyElements, "", false},
	} {
		s := newFakeServer(t, map[string]string{"+14155550001": "one"})
		o := testOptions(s)
		mustSync(t, o, manyContacts(3))
		s.rotate(2, map[string]string{"+14155550001": "one"})
		s.failFirst(100, "2/evaluations", func(w http.ResponseWriter) { problem(w, tt.status, tt.code, tt.retryAfter) })
		result, err := newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(3)))
		var got *client.ProblemError
		if tt.waits && (err != nil || result.Epoch != 1 || result.Moving.Left != 3 || len(result.Matches) != 1) {
			t.Errorf("%s: got %+v and %v, want an answer from epoch 1", tt.name, result, err)
		} else if !tt.waits && (!errors.As(err, &got) || got.Code != tt.code) {
			t.Errorf("%s: got %+v and %v, want the problem", tt.name, result, err)
		}
		s.fault = nil
		if result := mustSync(t, o, manyContacts(3)); result.Epoch != 2 || s.epochs[1].charged != 3 {
			t.Errorf("%s, afterwards: got %+v and %d charged, want epoch 2 and 3", tt.name, result, s.epochs[1].charged)
		}
	}
}

// TestPendingInADrainingEpoch: a request that may be paid for is completed there, by the same bytes, before and after the
// moment, and is kept as long as the quota does not allow it.
func TestPendingInADrainingEpoch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		date   time.Time
		refuse bool
		want   uint32
	}{
		{"before the moment", fakeNow.Add(-2 * time.Hour), false, 1},
		{"after the moment", fakeNow, false, 2},
		{"after the moment, and out of quota", fakeNow, true, 1},
	} {
		s := newFakeServer(t, map[string]string{"+14155550001": "one"})
		o := testOptions(s)
		s.loseAnswer = true
		_ = syncError(t, o)
		s.rotate(2, map[string]string{"+14155550001": "one"})
		s.date, s.limited = tt.date, tt.refuse
		result := mustSync(t, o, manyContacts(3))
		if result.Epoch != tt.want || len(result.Matches) != 1 || s.epochs[0].charged != 3 {
			t.Errorf("%s: got %+v with %d charged, want a match in epoch %d, and 3", tt.name, result, s.epochs[0].charged, tt.want)
		}
		sent := s.seen("1/evaluations")
		if len(sent) != 2 || !bytes.Equal(sent[0].body, sent[1].body) || fmt.Sprint(sent[0].header) != fmt.Sprint(sent[1].header) {
			t.Errorf("%s: the request was sent %d times, want twice, the same", tt.name, len(sent))
		}
	}
	t.Run("that was not paid for", func(t *testing.T) {
		s := newFakeServer(t, nil)
		o := testOptions(s)
		s.failFirst(1, "evaluations", func(w http.ResponseWriter) { problem(w, 401, client.CodeUnauthorized, "") })
		_ = syncError(t, o)
		s.rotate(2, nil)
		s.limited = true
		if result := mustSync(t, o, manyContacts(3)); result.Moving == nil || result.Moving.New != 3 {
			t.Errorf("got %+v, want a move that waits", result)
		}
		if state, _ := o.State.Load(t.Context()); strings.Count(string(state), "pending") != 2 {
			t.Errorf("the requests of both epochs are not kept: %s", state)
		}
	})
}

// TestRetired: whichever request learns that the epoch is over, the same Sync goes on in the active one, after one more
// request for the directory; and after none if the directory has said it.
func TestRetired(t *testing.T) {
	for _, tt := range []struct {
		mode        client.Mode
		route       string
		directories int
	}{
		{client.ModeExact, "", 1},
		{client.ModeExact, "/evaluations", 2},
		{client.ModeExact, "/matches", 2},
		{client.ModeBucket, "/buckets", 2},
		{client.ModeBucket, "/changes", 2},
		{client.ModeSnapshot, "/changes", 2},
		{client.ModeSnapshot, "/snapshot", 2},
		{client.ModeSnapshot, "/shard", 2},
	} {
		t.Run(string(tt.mode)+tt.route, func(t *testing.T) {
			registered := map[string]string{"+14155550001": "one"}
			s := newFakeServer(t, registered)
			o := modeOptions(s, tt.mode)
			mustSync(t, o, manyContacts(3))
			s.rotate(2, registered)
			s.date = fakeNow.Add(-2 * time.Hour)
			if s.requests = nil; tt.route == "" {
				s.epochs[0].state = "retired"
			}
			if strings.HasPrefix(tt.route, "/sh") || tt.route == "/snapshot" {
				o.Cache = client.MemoryCache()
			}
			s.fault = func(http.ResponseWriter, *http.Request) bool {
				if r := s.requests[len(s.requests)-1]; tt.route != "" && strings.HasSuffix(strings.Replace(r.path, "/snapshot/", "/shard/", 1), tt.route) || tt.route == "/shard" && strings.Contains(r.path, "/snapshot/") {
					s.epochs[0].state = "retired"
				}
				return false
			}
			result := mustSync(t, o, append(manyContacts(3), contact("New", "+14155550100")))
			if result.Epoch != 2 || len(result.Matches) != 1 || result.Moving != nil {
				t.Errorf("got %+v, want a match in epoch 2", result)
			}
			if got := len(s.seen("directory")); got != tt.directories {
				t.Errorf("asked for the directory %d times, want %d", got, tt.directories)
			}
			if state, _ := o.State.Load(t.Context()); strings.Count(string(state), `"numbers":{}`) != 1 {
				t.Errorf("what belongs to the old epoch is kept: %s", state)
			}
		})
	}
}

// TestRetiredOverAnotherConnection: when an epoch ends during a lookup, that in the next is not on the same connection, which
// would tell that both are one device's.
func TestRetiredOverAnotherConnection(t *testing.T) {
	s := newFakeServer(t, nil)
	server := httptest.NewServer(s)
	defer server.Close()
	o := testOptions(s)
	o.Server, o.HTTP = server.URL, nil
	s.failFirst(1, "1/matches", func(w http.ResponseWriter) {
		s.rotate(2, nil)
		s.epochs[0].state = "retired"
		problem(w, http.StatusGone, client.CodeEpochRetired, "")
	})
	if result := mustSync(t, o, manyContacts(2)); result.Epoch != 2 {
		t.Errorf("got epoch %d, want 2", result.Epoch)
	}
	first, second := s.seen("1/matches"), s.seen("2/matches")
	if len(first) != 1 || len(second) != 1 || first[0].remote == second[0].remote {
		t.Errorf("%d and %d lookups, over one connection; want 1 of each, over two", len(first), len(second))
	}
}

// TestRetiredByAServerThatListsIt: another server, which has not heard of it, still lists the epoch that is over.
func TestRetiredByAServerThatListsIt(t *testing.T) {
	for _, code := range []string{client.CodeEpochRetired, client.CodeUnknownEpoch} {
		s := newFakeServer(t, map[string]string{"+14155550001": "one"})
		o := testOptions(s)
		mustSync(t, o, manyContacts(3))
		s.rotate(2, map[string]string{"+14155550001": "one"})
		s.date = fakeNow.Add(-2 * time.Hour)
		s.failFirst(100, "1/matches", func(w http.ResponseWriter) { problem(w, http.StatusGone, code, "") })
		if result := mustSync(t, o, manyContacts(3)); result.Epoch != 2 || len(result.Matches) != 1 {
			t.Errorf("%s: got %+v, want a match in epoch 2", code, result)
		}
		state, _ := o.State.Load(t.Context())
		// What the server does not know may be known to the others.
		if got, want := strings.Count(string(state), `"+14155550001"`), map[bool]int{true: 1, false: 2}[code == client.CodeEpochRetired]; got != want {
			t.Errorf("%s: the number is in the state %d times, want %d", code, got, want)
		}
	}
}

// TestAServerThatIsBehind lists the old epoch as active after the device has moved. Nothing is paid or asked again.
func TestAServerThatIsBehind(t *testing.T) {
	registered := map[string]string{"+14155550001": "one"}
	s := newFakeServer(t, registered)
	o := modeOptions(s, client.ModeBucket)
	mustSync(t, o, manyContacts(3))
	s.rotate(2, registered)
	mustSync(t, o, manyContacts(3))
	both, window := s.epochs, s.migration
	for _, behind := range []bool{true, false, true, false} {
		if s.epochs, s.migration, both[0].state = both, window, "draining"; behind {
			s.epochs, s.migration, both[0].state = both[:1], nil, "active"
		}
		s.requests = nil
		want := map[bool]uint32{true: 1, false: 2}[behind]
		result := mustSync(t, o, manyContacts(3))
		if state, _ := o.State.Load(t.Context()); !bytes.Contains(state, []byte(`"home":2,`)) {
			t.Errorf("behind %v: the device has left epoch 2", behind)
		}
		if result.Epoch != want || len(result.Matches) != 1 || result.Evaluated != 0 || len(s.seen("buckets")) != 0 {
			t.Errorf("behind %v: got %+v after %d lookups by bucket, want epoch %d and none", behind, result, len(s.seen("buckets")), want)
		}
	}
}

// TestLookupsOfTwoEpochs: a move asks by prefixes as a first Sync does, once, and no Sync asks in both epochs.
func TestLookupsOfTwoEpochs(t *testing.T) {
	registered := map[string]string{"+14155550001": "one"}
	s := newFakeServer(t, registered)
	o := modeOptions(s, client.ModeBucket)
	asked := func(epoch string) map[uint32]bool {
		var sent []seenRequest
		for _, r := range bucketRequests(s) {
			if strings.Contains(r.path, epoch) {
				sent = append(sent, r)
			}
		}
		return askedPrefixes(sent)
	}
	mustSync(t, o, manyContacts(9))
	first := asked("/1/")
	s.rotate(2, registered)
	s.limited = true
	mustSync(t, o, manyContacts(9))
	s.limited = false
	if got := asked("/1/"); !maps.Equal(got, first) || len(asked("/2/")) != 0 {
		t.Errorf("while the move waits: asked %d prefixes in epoch 1 and %d in 2, want %d and 0", len(got), len(asked("/2/")), len(first))
	}
	s.requests = nil
	mustSync(t, o, manyContacts(9))
	second := asked("/2/")
	if len(second) != 10 || len(asked("/1/")) != 0 || maps.Equal(first, second) {
		t.Errorf("the move: asked %d prefixes in epoch 2 and %d in 1, want one class of 10, and 0", len(second), len(asked("/1/")))
	}
	if got := askedPrefixes(labelRequests(s)); len(got) != 8 {
		t.Errorf("the move: labels of %d prefixes, want one class of 8", len(got))
	}
	s.requests = nil
	mustSync(t, o, manyContacts(9))
	if got := s.seen("buckets"); len(got) != 0 {
		t.Errorf("after the move: %d lookups by bucket, want none", len(got))
	}
}

// TestMoveKeepsMatches: where the lookups in the new epoch are spread over days, what was found before is shown until it is
// looked up again, although the epoch it was found in has ended. Who has left meanwhile is not.
func TestMoveKeepsMatches(t *testing.T) {
	registered := make(map[string]string)
	for i := range 20 {
		registered[fmt.Sprintf("+1415555%04d", 2*i)] = fmt.Sprint("old ", i)
	}
	s := newFakeServer(t, registered)
	s.modes = []string{"bucket"}
	o := modeOptions(s, client.ModeAuto)
	o.Budget = -1
	mustSync(t, o, manyContacts(40))
	delete(registered, "+14155550000")
	registered["+14155550002"] = "new owner"
	s.rotate(2, registered)
	s.epochs[0].state = "retired"
	o.Budget = 6000
	now, days := fakeNow, 0
	for deferred := 1; deferred > 0 && days < 60; days++ {
		result := syncAt(t, o, now, manyContacts(40))
		if len(result.Matches) < 19 || len(result.Matches) > 20 || result.Bytes > o.Budget {
			t.Errorf("day %d: got %d matches for %d bytes, want 19 or 20 within the budget", days, len(result.Matches), result.Bytes)
		}
		deferred = result.Deferred
		now = now.Add(25 * time.Hour)
	}
	result := syncAt(t, o, now, manyContacts(40))
	if days < 3 || len(result.Matches) != 19 || found(result)[0] != "+14155550002 new owner" {
		t.Errorf("after %d days: got %v, want 19 matches after more than two, the first with its new label", days, found(result))
	}
}

// TestStateOfAnOlderVersion goes on from what a client of version 1 left: three numbers known, a request pending. It was made
// by that client against the fake server, and its request has the answer of no server.
func TestStateOfAnOlderVersion(t *testing.T) {
	old, err := os.ReadFile("testdata/state-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	registered := map[string]string{"+14155550001": "one", "+14155550002": "two"}
	for _, tt := range []struct {
		name    string
		rotated bool
		date    time.Time
		want    uint32
	}{
		{"in its epoch", false, fakeNow, 1},
		{"before the moment", true, fakeNow.Add(-2 * time.Hour), 1},
		{"after the moment", true, fakeNow, 2},
	} {
		s := newFakeServer(t, registered)
		o := modeOptions(s, client.ModeBucket)
		if err := o.State.Save(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		if tt.rotated {
			s.rotate(2, registered)
		}
		s.date = tt.date
		result := mustSync(t, o, manyContacts(5))
		if result.Epoch != tt.want || len(result.Matches) != 2 || s.epochs[0].charged != 2 {
			t.Errorf("%s: got %+v and %d charged in epoch 1, want epoch %d and the 2 of the request", tt.name, result, s.epochs[0].charged, tt.want)
		}
		const key = "P1UCSmLxXYETfegTSN0yXQ" // in the state
		if sent := s.seen("1/evaluations"); len(sent) != 1 || sent[0].header.Get("Idempotency-Key") != key {
			t.Errorf("%s: sent %d evaluations to epoch 1, want the pending one", tt.name, len(sent))
		}
		if data, _ := o.State.Load(t.Context()); !bytes.HasPrefix(data, []byte(`{"version":2,`)) {
			t.Errorf("%s: written as %.20s, want version 2", tt.name, data)
		}
	}
}
