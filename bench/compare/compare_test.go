package compare_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/redistest"
)

// blinded returns n blinded elements, packed.
func blinded(t testing.TB, n int) []byte {
	t.Helper()
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	blinds, err := voprf.RandomBlinds(rand.Reader, n)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := voprf.Blind(inputs, blinds)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// opponent starts one, and returns it as a target.
func opponent(t *testing.T, h http.Handler, err error) compare.Target {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return compare.Target{
		Client: s.Client(), URL: s.URL + compare.PathContacts,
		Server: func(ctx context.Context) (time.Duration, error) {
			return compare.ReadCPU(ctx, s.Client(), s.URL+compare.PathCPU)
		},
	}
}

// post sends a body and returns status and answer.
func post(t *testing.T, target compare.Target, body []byte) (int, []byte) {
	t.Helper()
	response, err := target.Client.Post(target.URL, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, b.Bytes()
}

// TestOpponentsDoTheWork holds the opponents to what they are said to do: the same key for all elements of a request, and
// other elements than those sent.
func TestOpponentsDoTheWork(t *testing.T) {
	three := blinded(t, 3)
	twice := append(bytes.Clone(three), three...)
	for name, proof := range map[string]int{compare.Circl: voprf.ProofSize, compare.Edwards25519: 0} {
		t.Run(name, func(t *testing.T) {
			h, err := compare.Opponent(name, nil)
			target := opponent(t, h, err)
			status, answer := post(t, target, twice)
			if status != http.StatusOK || len(answer) != len(twice)+proof {
				t.Fatalf("status %d with %d bytes, want 200 with %d", status, len(answer), len(twice)+proof)
			}
			if n := len(three); !bytes.Equal(answer[:n], answer[n:2*n]) || bytes.Equal(answer[:n], three) {
				t.Error("the same elements were not evaluated to the same others")
			}
			for name, bad := range map[string][]byte{"nothing": nil, "half": three[:16], "not an element": bytes.Repeat([]byte{0xff}, 32)} {
				if status, _ := post(t, target, bad); status != http.StatusBadRequest {
					t.Errorf("%s: status %d, want 400", name, status)
				}
			}
			before, err := target.Server(t.Context())
			if err != nil || before <= 0 {
				t.Errorf("processor time: %v, %v", before, err)
			}
		})
	}
	if _, err := compare.Opponent("other", nil); !errors.Is(err, compare.ErrOpponent) {
		t.Errorf("another name: got %v, want ErrOpponent", err)
	}
}

func TestHashedFindsWhatIsRegistered(t *testing.T) {
	rdb := redistest.Start(t).Client()
	var numbers []string
	for i := range 2500 {
		numbers = append(numbers, fmt.Sprintf("+1415555%04d", i))
	}
	if err := compare.Register(t.Context(), rdb, numbers); err != nil {
		t.Fatal(err)
	}
	h, err := compare.Opponent(compare.Hashed, rdb)
	target := opponent(t, h, err)
	var body []byte
	for _, number := range []string{numbers[0], "+14155559999", numbers[2499]} {
		hash := compare.Hash(number)
		body = append(body, hash[:]...)
	}
	if status, answer := post(t, target, body); status != http.StatusOK || !bytes.Equal(answer, []byte{1, 0, 1}) {
		t.Errorf("status %d, answer %v, want 200 and [1 0 1]", status, answer)
	}
}

// TestRun compares two works of known times with a third.
func TestRun(t *testing.T) {
	work := func(name string, contacts int, server, store time.Duration) compare.Work {
		return compare.Work{Name: name, Contacts: contacts, Turn: func(context.Context, time.Duration) (compare.Sample, error) {
			return compare.Sample{Contacts: 100, Time: time.Second, Server: server, Store: store}, nil
		}}
	}
	var told []int
	r, err := compare.Run(t.Context(), []compare.Work{
		work(compare.Kith, 16, 900*time.Microsecond, 100*time.Microsecond),
		work(compare.Circl, 16, 12*time.Millisecond, 0),
		work(compare.Engine, 16, 720*time.Microsecond, 0),
		work(compare.Kith, 1, time.Millisecond, 0),
		work(compare.Hashed, 1, 100*time.Microsecond, 400*time.Microsecond),
	}, 3, time.Millisecond, func(done, of int) { told = append(told, done*100/of) })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		name                 string
		contacts             int
		server, store, ratio float64
	}{{compare.Kith, 16, 9, 1, 1}, {compare.Circl, 16, 120, 0, 12}, {compare.Kith, 1, 10, 0, 1}, {compare.Hashed, 1, 1, 4, 0.5}} {
		row, found := r.Row(want.name, want.contacts)
		if !found || row.Server != want.server || row.Store != want.store || row.Ratio != (compare.Spread{Median: want.ratio, Least: want.ratio, Most: want.ratio}) || row.PerSecond != 100 {
			t.Errorf("%s, %d contacts: got %+v, want %+v", want.name, want.contacts, row, want)
		}
	}
	if got := r.Kept(16); got != 0.8 {
		t.Errorf("kept of the engine's rate: got %v, want 0.8", got)
	}
	if r.Kept(1) != 0 || len(told) != 15 || told[14] != 100 {
		t.Errorf("kept without an engine %v; progress %v", r.Kept(1), told)
	}
	report := r.Report()
	for _, want := range []string{"circl's VOPRF", "12", "80 % at 16"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestRunFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := compare.Run(t.Context(), []compare.Work{{Name: compare.Kith, Contacts: 1, Turn: func(context.Context, time.Duration) (compare.Sample, error) {
		return compare.Sample{}, broken
	}}}, 1, time.Millisecond, func(int, int) {})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the work", err)
	}
}

// TestRequests counts what a server was sent, and refuses answers that are not those wanted.
func TestRequests(t *testing.T) {
	h, err := compare.Opponent(compare.Edwards25519, nil)
	target := opponent(t, h, err)
	body := blinded(t, 2)
	s, err := compare.Requests("x", 2, target, body, len(body)).Turn(t.Context(), 50*time.Millisecond)
	if err != nil || s.Contacts < 2 || s.Contacts%2 != 0 || s.Server <= 0 || s.Time < 50*time.Millisecond {
		t.Errorf("got %+v, %v", s, err)
	}
	for name, w := range map[string]compare.Work{
		"another length": compare.Requests("x", 2, target, body, 1),
		"another status": compare.Requests("x", 2, target, body[1:], 0),
	} {
		if _, err := w.Turn(t.Context(), time.Millisecond); !errors.Is(err, compare.ErrAnswer) {
			t.Errorf("%s: got %v, want ErrAnswer", name, err)
		}
	}
}

func TestAlone(t *testing.T) {
	calls := 0
	s, err := compare.Alone("x", 3, func() error { calls++; return nil }).Turn(t.Context(), 10*time.Millisecond)
	if err != nil || s.Contacts != 3*calls || s.Time < 10*time.Millisecond || s.Server <= 0 {
		t.Errorf("%d calls: got %+v, %v", calls, s, err)
	}
}
