package client_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
	"pgregory.net/rapid"
)

// A Sync touches the outside world when it loads or saves its state, when it uses its cache, and when it sends a request. Each of these has a
// point before it takes effect and one after. An interrupter ends a Sync at one of the points.
type interrupter struct {
	client.StateStore
	cache  client.Cache
	server *fakeServer
	keyLog client.KeyLog
	way    string
	seed   byte // of the next Sync
	cancel context.CancelFunc
	left   int // points until the interruption; negative: none
}

var (
	errKilled = errors.New("killed")
	errBroken = errors.New("broken")
)

// interruptions are the ways in which a Sync ends: the process is killed, the app gives up, or the store and the
// network fail.
var interruptions = []string{"kill", "cancel", "error"}

// point returns errBroken if the operation has to fail.
func (i *interrupter) point() error {
	i.left--
	if i.left != -1 {
		return nil
	}
	switch i.way {
	case "kill":
		panic(errKilled)
	case "cancel":
		i.cancel()
		return nil
	default:
		return errBroken
	}
}

func (i *interrupter) Load(ctx context.Context) ([]byte, error) {
	if err := i.point(); err != nil {
		return nil, err
	}
	data, err := i.StateStore.Load(ctx)
	return data, errors.Join(err, i.point())
}

func (i *interrupter) Save(ctx context.Context, data []byte) error {
	if err := errors.Join(i.point(), ctx.Err()); err != nil {
		return err
	}
	return errors.Join(i.StateStore.Save(ctx, data), i.point())
}

func (i *interrupter) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := i.cache.Get(ctx, key)
	return data, errors.Join(err, i.point())
}

func (i *interrupter) Put(ctx context.Context, key string, data []byte) error {
	return errors.Join(i.point(), i.cache.Put(ctx, key, data), i.point())
}

func (i *interrupter) Delete(ctx context.Context, key string) error {
	return errors.Join(i.point(), i.cache.Delete(ctx, key), i.point())
}

func (i *interrupter) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := i.point(); err != nil {
		return nil, err
	}
	resp, err := i.server.RoundTrip(r)
	if err := errors.Join(err, i.point(), r.Context().Err()); err != nil {
		return nil, err
	}
	return resp, nil
}

// sync is syncBook in mode exact.
func (i *interrupter) sync(t testing.TB, way string, point int) (result *client.Result, interrupted bool) {
	return i.syncBook(t, client.ModeExact, way, point, fakeNow, manyContacts(interruptedContacts))
}

// syncBook runs one Sync that ends in the given way at the given point, if it comes so far. It reports whether it did, and
// what was found if not.
func (i *interrupter) syncBook(
	t testing.TB, m client.Mode, way string, point int, now time.Time, book []normalize.Contact,
) (result *client.Result, interrupted bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	i.way, i.left, i.cancel = way, point, cancel
	defer func() {
		if p := recover(); p != nil && p != errKilled {
			panic(p)
		} else if p != nil {
			interrupted = true
		}
	}()
	o := testOptions(i.server)
	o.State, o.HTTP, o.Cache, o.Mode, o.KeyLog = i, i, i, m, i.keyLog
	i.seed++
	o.Rand = seededRand(i.seed)
	c := newClient(t, o)
	c.SetNow(func() time.Time { return now })
	result, err := c.Sync(ctx, client.Contacts(book))
	return result, err != nil || i.left < 0
}

// interruptedContacts are two pages of evaluations, and two of lookups.
const interruptedContacts = 3

func newInterrupter(t testing.TB) *interrupter {
	s := newFakeServer(t, map[string]string{"+14155550000": "zero", "+14155550002": "two"})
	s.maxElements, s.maxTags = 2, 2
	return &interrupter{StateStore: client.MemoryState(), cache: client.MemoryCache(), server: s}
}

// checkComplete runs a Sync without interruption: it must find everything, and all Syncs together must have paid for
// each number once.
func (i *interrupter) checkComplete(t testing.TB) {
	t.Helper()
	result, interrupted := i.sync(t, "", -2)
	if interrupted && result == nil {
		t.Fatal("a Sync without interruption failed")
	}
	if len(result.Matches) != 2 || result.Numbers != interruptedContacts {
		t.Errorf("got %+v, want 2 matches", result)
	}
	if i.server.charged != interruptedContacts {
		t.Errorf("charged for %d elements, want %d", i.server.charged, interruptedContacts)
	}
}

// TestInterruptedAnywhere interrupts a Sync once, in each way, at each point there is.
func TestInterruptedAnywhere(t *testing.T) {
	for _, way := range interruptions {
		points := 0
		for ; ; points++ {
			i := newInterrupter(t)
			if _, interrupted := i.sync(t, way, points); !interrupted {
				break
			}
			t.Run(fmt.Sprintf("%s at %d", way, points), func(t *testing.T) { i.checkComplete(t) })
		}
		// One load, two saves for each of two pages and one of what it cost, and five requests.
		if want := 2 * (1 + 5 + 5); points != want {
			t.Errorf("%s: %d points, want %d: is one not counted?", way, points, want)
		}
	}
}

// TestInterruptedLookups interrupts a Sync of the modes bucket and snapshot once, in each way, at each point there is. The next
// Sync finds everything, and shows the server no prefix that the interrupted one did not choose. All numbers were
// evaluated before.
func TestInterruptedLookups(t *testing.T) {
	evaluated := newInterrupter(t)
	evaluated.sync(t, "", -2)
	for _, m := range []client.Mode{client.ModeBucket, client.ModeSnapshot} {
		for _, way := range interruptions {
			points := 0
			for ; ; points++ {
				i := newInterrupter(t)
				i.server.maxPrefixes, i.server.maxLabels = 3, 5
				i.StateStore = copyState(t, evaluated.StateStore)
				book := manyContacts(interruptedContacts)
				if _, interrupted := i.syncBook(t, m, way, points, fakeNow, book); !interrupted {
					break
				}
				result, _ := i.syncBook(t, m, "", -2, fakeNow, book)
				if result == nil || len(result.Matches) != 2 || i.server.charged != 0 {
					t.Fatalf("%s, %s at %d: got %+v, and charged %d", m, way, points, result, i.server.charged)
				}
				if got := askedPrefixes(bucketRequests(i.server)); m == client.ModeBucket && len(got) != 4 {
					t.Errorf("%s, %s at %d: %d prefixes asked, want those of one class of 4", m, way, points, len(got))
				}
				if got := askedPrefixes(labelRequests(i.server)); len(got) != 8 {
					t.Errorf("%s, %s at %d: labels of %d prefixes asked, want those of one class of 8", m, way, points, len(got))
				}
			}
			if points < 2*10 {
				t.Errorf("%s, %s: only %d points", m, way, points)
			}
		}
	}
}

// askedPrefixes returns the different prefixes in requests.
func askedPrefixes(requests []seenRequest) map[uint32]bool {
	asked := make(map[uint32]bool)
	for _, r := range requests {
		for body := r.body; len(body) > 0; body = body[4:] {
			asked[binary.BigEndian.Uint32(body)] = true
		}
	}
	return asked
}

// TestInterruptedOverAndOver interrupts several Syncs in a row.
func TestInterruptedOverAndOver(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		i := newInterrupter(t)
		for range rapid.IntRange(1, 5).Draw(rt, "syncs") {
			way := rapid.SampledFrom(interruptions).Draw(rt, "way")
			i.sync(t, way, rapid.IntRange(0, 19).Draw(rt, "point"))
		}
		i.checkComplete(t)
	})
}

// TestResumeSendsTheSameBytes is what the server's side of the promise depends on.
func TestResumeSendsTheSameBytes(t *testing.T) {
	i := newInterrupter(t)
	const afterFirstAnswer = 2 + 2 + 2 + 1 // load, directory, first save, and the evaluation, whose answer is lost
	if _, interrupted := i.sync(t, "kill", afterFirstAnswer); !interrupted {
		t.Fatal("not interrupted")
	}
	i.checkComplete(t)
	sent := i.server.seen("evaluations")
	first, second := sent[0], sent[1]
	if string(first.body) != string(second.body) || fmt.Sprint(first.header) != fmt.Sprint(second.header) {
		t.Error("the resumed request differs")
	}
	if len(sent) != 3 { // two pages, one of them twice
		t.Errorf("sent %d evaluations, want 3", len(sent))
	}
}

// TestResumeProgress: what is pending counts as work to do, once.
func TestResumeProgress(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	s.maxElements = 2
	s.failFirst(100, "evaluations", func(w http.ResponseWriter) { problem(w, 500, client.CodeInternal, "") })
	_ = syncError(t, o)
	s.fault = nil
	var got []client.Progress
	o.Progress = func(p client.Progress) {
		if p.Stage == client.StageEvaluate {
			got = append(got, p)
		}
	}
	result := mustSync(t, o, manyContacts(5)[1:]) // the first contact is gone, and paid for all the same
	want := []client.Progress{
		{Stage: client.StageEvaluate, Done: 0, Total: 5},
		{Stage: client.StageEvaluate, Done: 2, Total: 5},
		{Stage: client.StageEvaluate, Done: 4, Total: 5},
		{Stage: client.StageEvaluate, Done: 5, Total: 5},
	}
	if !slices.Equal(got, want) || result.Evaluated != 5 || result.Numbers != 4 {
		t.Errorf("got %+v and %+v, want %+v", got, result, want)
	}
}

// TestCancelledAfterTheAnswer: what is paid for is kept although the context has ended.
func TestCancelledAfterTheAnswer(t *testing.T) {
	i := newInterrupter(t)
	i.server.maxElements = interruptedContacts
	const answered = 2 + 2 + 2 + 2 // load, directory, save and evaluation; the next point is before the second save
	i.sync(t, "cancel", answered)
	data, err := i.StateStore.Load(t.Context())
	if err != nil || strings.Contains(string(data), "pending") {
		t.Errorf("the request is still pending, or %v", err)
	}
	i.checkComplete(t)
}
