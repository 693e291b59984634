package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/keylog"
	"pgregory.net/rapid"
)

// newMover has a device in epoch 1 with two numbers known and a request for the third that was paid for and not answered,
// and an epoch 2 that it is time to move to, under a key log.
func newMover(t testing.TB) *interrupter {
	t.Helper()
	i := newInterrupter(t)
	i.server.maxPrefixes, i.server.maxLabels = 3, 5
	i.syncBook(t, client.ModeBucket, "", -2, fakeNow, manyContacts(interruptedContacts-1))
	i.server.loseAnswer = true
	i.syncBook(t, client.ModeBucket, "", -2, fakeNow, manyContacts(interruptedContacts))
	i.server.rotate(2, map[string]string{"+14155550000": "zero", "+14155550002": "two"})
	i.server.logKeys(t)
	i.keyLog = client.KeyLog{VerifierKey: logSigner(t).VerifierKey()}
	i.server.requests = nil
	return i
}

// TestInterruptedMove interrupts a move once, in each way, at each point there is. The next Sync finds everything in the new
// epoch, all together have paid for each number once in each epoch, and no prefix was shown that the first did not choose.
func TestInterruptedMove(t *testing.T) {
	ways := interruptions
	if pageScale > 1 {
		ways = ways[:1]
	}
	book := manyContacts(interruptedContacts)
	for _, way := range ways {
		points := 0
		for ; ; points++ {
			i := newMover(t)
			if _, interrupted := i.syncBook(t, client.ModeBucket, way, points, fakeNow, book); !interrupted {
				break
			}
			result, _ := i.syncBook(t, client.ModeBucket, "", -2, fakeNow, book)
			if result == nil || result.Epoch != 2 || len(result.Matches) != 2 || result.Moving != nil {
				t.Fatalf("%s at %d: got %+v", way, points, result)
			}
			for _, e := range i.server.epochs {
				if e.charged != interruptedContacts {
					t.Errorf("%s at %d: charged for %d elements in epoch %d, want %d", way, points, e.charged, e.id, interruptedContacts)
				}
			}
			if got := askedPrefixes(bucketRequests(i.server)); len(got) != 4 {
				t.Errorf("%s at %d: %d prefixes asked, want those of one class of 4", way, points, len(got))
			}
			if got := askedPrefixes(labelRequests(i.server)); len(got) != 8 {
				t.Errorf("%s at %d: labels of %d prefixes asked, want those of one class of 8", way, points, len(got))
			}
		}
		// A load. Requests: the directory, the log, an evaluation in the old epoch, two in the new, a manifest, two lookups, the
		// changes, two lookups of labels. And a save after most of them, and before all that must not be sent otherwise again.
		if want := 2 * (1 + 11 + 15); points != want {
			t.Errorf("%s: %d points, want %d: is one not counted?", way, points, want)
		}
	}
}

// TestMovesLoseNothing rotates and retires epochs, changes quota and address book, and interrupts Syncs, at random. In
// no epoch is a number ever paid for twice, and in the end all is found in the active one.
func TestMovesLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		registered := map[string]string{"+14155550000": "zero", "+14155550002": "two"}
		i := newInterrupter(t)
		s := i.server
		s.maxPrefixes, s.maxLabels = 3, 5
		mode := rapid.SampledFrom(lookupModes).Draw(rt, "mode")
		now, contacts := fakeNow.Add(-time.Hour), 2
		for range rapid.IntRange(1, 12).Draw(rt, "operations") {
			switch rapid.IntRange(0, 7).Draw(rt, "operation") {
			case 0:
				if id := uint32(len(s.epochs) + 1); id <= 3 {
					s.rotate(id, registered)
					s.migration["begins"], s.migration["ends"] = now.Unix(), now.Add(time.Hour).Unix()
				}
			case 1:
				if at := slices.IndexFunc(s.epochs, func(e *fakeEpoch) bool { return e.state == "draining" }); at >= 0 {
					s.epochs[at].state = "retired"
				}
			case 2:
				s.limited, s.quota = true, rapid.IntRange(0, 3).Draw(rt, "quota")
			case 3:
				s.limited = false
			case 4:
				contacts = min(contacts+1, 4)
				now = now.Add(20 * time.Minute)
			default:
				way, point := rapid.SampledFrom(interruptions).Draw(rt, "way"), rapid.IntRange(0, 60).Draw(rt, "point")
				i.syncBook(t, mode, way, point, now, manyContacts(contacts))
			}
		}
		s.limited = false
		result, _ := i.syncBook(t, mode, "", -2, now.Add(2*time.Hour), manyContacts(contacts))
		active := s.epochs[len(s.epochs)-1]
		want := []string{"+14155550000 zero", "+14155550002 two"}[:min(contacts-1, 2)]
		if result == nil || result.Epoch != active.id || result.Moving != nil || !slices.Equal(found(result), want) {
			rt.Fatalf("got %+v, want %v in epoch %d", result, want, active.id)
		}
		for _, e := range s.epochs {
			if e.charged > contacts {
				rt.Errorf("charged for %d elements in epoch %d, want at most %d", e.charged, e.id, contacts)
			}
		}
	})
}

// TestCheckpointIsSavedFirst: before the first request in an epoch the checkpoint that its key was found under is in the
// state, or else a killed Sync could be shown another log afterwards.
func TestCheckpointIsSavedFirst(t *testing.T) {
	i := newMover(t)
	saved := ""
	for points := range 20 {
		i = newMover(t)
		if i.syncBook(t, client.ModeBucket, "kill", points, fakeNow, manyContacts(3)); len(epochsAsked(i.server.requests)) > 0 {
			data, err := i.StateStore.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			saved = string(data)
			break
		}
	}
	body := keylog.Checkpoint{Origin: logSigner(t).Origin(), Size: 2, Root: keylog.Root(i.server.log.Entries)}.Text()
	if want := strings.ReplaceAll(body, "\n", `\n`); !strings.Contains(saved, want) {
		t.Errorf("got state %s, want checkpoint %s in it", saved, want)
	}
}
