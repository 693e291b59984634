package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/keyring"
)

// fakeOperator notes what it is told to do, and fails with err if that is set.
type fakeOperator struct {
	calls  []string
	joined bool
	err    error
}

func (o *fakeOperator) note(format string, args ...any) error {
	o.calls = append(o.calls, fmt.Sprintf(format, args...))
	return o.err
}

func (o *fakeOperator) Status(context.Context) (any, error) {
	return map[string]any{"generation": 12, "key_ceiling": 1000, "epochs": []any{}}, o.note("status")
}

func (o *fakeOperator) Rotate(_ context.Context, r server.Rotation) (uint32, bool, error) {
	return 2, o.joined, o.note("rotate auto=%t window=%s drain=%s users=%d", r.Auto, r.Window, r.Drain, r.ExpectedUsers)
}

func (o *fakeOperator) Activate(_ context.Context, epoch uint32, loss int) error {
	return o.note("activate %d loss=%d", epoch, loss)
}

func (o *fakeOperator) Abort(_ context.Context, epoch uint32) error { return o.note("abort %d", epoch) }
func (o *fakeOperator) Retire(_ context.Context, epoch uint32) error {
	return o.note("retire %d", epoch)
}

func (o *fakeOperator) Cosign(_ context.Context, w *keylog.Witness, line string) error {
	return o.note("cosign %s %s", w.Name(), line)
}

// newOperated is newStack with an operator that notes what it is told.
func newOperated(t testing.TB) (*stack, *fakeOperator) {
	t.Helper()
	o := new(fakeOperator)
	return newStack(t, func(c *server.Config) { c.Operator = o }), o
}

// operate makes a request to the admin address with a token of scope operate.
func (s *stack) operate(t testing.TB, method, path, body string) answer {
	t.Helper()
	c := call{method: method, path: path, token: s.mint(t, "account-of-olga", "operate")}
	if body != "" {
		c.mime, c.body = mimeJSON, []byte(body)
	}
	return send(t, s.admin.URL, c)
}

// aWitnessKey returns a witness key.
func aWitnessKey(t testing.TB) string {
	t.Helper()
	c, err := keylog.NewCosigner("witness.example", secret.Value{1})
	must(t, err)
	return c.WitnessKey()
}

func TestOperatorRoutes(t *testing.T) {
	s, o := newOperated(t)
	const day = "window=24h0m0s drain=72h0m0s"
	cosignature := func(key, line string) string {
		return string(encodeJSON(t, map[string]string{"witness_key": key, "signature": line}))
	}
	tests := []struct {
		name, method, path, body string
		joined                   bool
		status                   int
		code                     string // of the problem
		detail                   string // what its detail has
		want                     string // what the operator was told, or "" for nothing
		answer                   string
	}{
		{name: "status", method: "GET", path: "/v1/epochs", status: 200, want: "status", answer: `{"epochs":[],"generation":12,"key_ceiling":1000}`},
		{name: "rotate", method: "POST", path: "/v1/epochs", status: 201, want: "rotate auto=true " + day + " users=0", answer: `{"id":2,"joined":false}`},
		{name: "rotate, empty object", method: "POST", path: "/v1/epochs", body: "{}", status: 201, want: "rotate auto=true " + day + " users=0", answer: `{"id":2,"joined":false}`},
		{name: "rotate, joined", method: "POST", path: "/v1/epochs", joined: true, status: 200, want: "rotate auto=true " + day + " users=0", answer: `{"id":2,"joined":true}`},
		{name: "rotate by hand", method: "POST", path: "/v1/epochs", body: `{"auto":false,"window_seconds":60,"drain_seconds":90,"expected_users":5000}`, status: 201,
			want: "rotate auto=false window=1m0s drain=1m30s users=5000", answer: `{"id":2,"joined":false}`},
		{name: "rotate at once", method: "POST", path: "/v1/epochs", body: `{"window_seconds":0,"drain_seconds":0}`, status: 201, want: "rotate auto=true window=0s drain=0s users=0", answer: `{"id":2,"joined":false}`},
		{name: "negative window", method: "POST", path: "/v1/epochs", body: `{"window_seconds":-1}`, status: 422, code: "invalid-rotation"},
		{name: "endless drain", method: "POST", path: "/v1/epochs", body: `{"drain_seconds":31622401}`, status: 422, code: "invalid-rotation"},
		{name: "overflowing drain", method: "POST", path: "/v1/epochs", body: `{"drain_seconds":9223372036854775807}`, status: 422, code: "invalid-rotation"},
		{name: "window longer than the drain", method: "POST", path: "/v1/epochs", body: `{"window_seconds":61,"drain_seconds":60}`, status: 422, code: "invalid-rotation", detail: "window is longer"},
		{name: "window longer than the default drain", method: "POST", path: "/v1/epochs", body: `{"window_seconds":259201}`, status: 422, code: "invalid-rotation", detail: "window is longer"},
		{name: "negative users", method: "POST", path: "/v1/epochs", body: `{"expected_users":-1}`, status: 422, code: "invalid-rotation"},
		{name: "too many users", method: "POST", path: "/v1/epochs", body: `{"expected_users":10000000001}`, status: 422, code: "invalid-rotation"},
		{name: "unknown member", method: "POST", path: "/v1/epochs", body: `{"secretword":1}`, status: 400, code: "malformed"},
		{name: "null", method: "POST", path: "/v1/epochs", body: `{"auto":null}`, status: 400, code: "malformed"},
		{name: "null for all", method: "POST", path: "/v1/epochs", body: `null`, status: 400, code: "malformed"},
		{name: "other letters", method: "POST", path: "/v1/epochs", body: `{"Auto":false}`, status: 400, code: "malformed"},
		{name: "given twice", method: "POST", path: "/v1/epochs", body: `{"auto":true,"auto":false}`, status: 400, code: "malformed"},
		{name: "wrong type", method: "POST", path: "/v1/epochs", body: `{"auto":"secretword"}`, status: 400, code: "malformed"},
		{name: "not JSON", method: "POST", path: "/v1/epochs", body: `secretword`, status: 400, code: "malformed"},
		{name: "too large", method: "POST", path: "/v1/epochs", body: "{" + strings.Repeat(" ", 4096) + "}", status: 413, code: "too-large"},

		{name: "activate", method: "POST", path: "/v1/epochs/2/activate", status: 204, want: "activate 2 loss=-1"},
		{name: "activate with a loss", method: "POST", path: "/v1/epochs/2/activate", body: `{"accept_loss":3}`, status: 204, want: "activate 2 loss=3"},
		{name: "activate without one", method: "POST", path: "/v1/epochs/2/activate", body: `{"accept_loss":0}`, status: 204, want: "activate 2 loss=0"},
		{name: "activate with a negative loss", method: "POST", path: "/v1/epochs/2/activate", body: `{"accept_loss":-1}`, status: 400, code: "malformed"},
		{name: "activate what is no number", method: "POST", path: "/v1/epochs/secretword/activate", status: 404, code: "unknown-epoch"},
		{name: "activate 2^32", method: "POST", path: "/v1/epochs/4294967296/activate", status: 404, code: "unknown-epoch"},
		{name: "abort", method: "POST", path: "/v1/epochs/2/abort", status: 204, want: "abort 2"},
		{name: "abort nothing", method: "POST", path: "/v1/epochs//abort", status: 404, code: "unknown-epoch"},
		{name: "retire", method: "POST", path: "/v1/epochs/1/retire", status: 204, want: "retire 1"},
		{name: "another step", method: "POST", path: "/v1/epochs/1/secretword", status: 404, code: "not-found"},
		{name: "another method", method: "PUT", path: "/v1/epochs", status: 405, code: "method-not-allowed"},

		{name: "cosign", method: "POST", path: "/v1/keylog/cosignatures", body: cosignature(aWitnessKey(t), "— witness.example AAAA"), status: 204,
			want: "cosign witness.example — witness.example AAAA"},
		{name: "cosign without a key", method: "POST", path: "/v1/keylog/cosignatures", body: `{"signature":"secretword"}`, status: 422, code: "invalid-cosignature"},
		{name: "cosign with another kind of key", method: "POST", path: "/v1/keylog/cosignatures", body: cosignature("secretword+00000000+AAAA", "x"), status: 422, code: "invalid-cosignature"},
		{name: "cosign without a body", method: "POST", path: "/v1/keylog/cosignatures", status: 415, code: "unsupported-media-type"},
		{name: "cosign with a long line", method: "POST", path: "/v1/keylog/cosignatures", body: cosignature(aWitnessKey(t), strings.Repeat("A", 4096)), status: 413, code: "too-large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o.calls, o.joined = nil, test.joined
			a := s.operate(t, test.method, test.path, test.body)
			if test.code != "" {
				if p := wantProblem(t, a, test.status, test.code, "secretword"); !strings.Contains(p.Detail, test.detail) {
					t.Errorf("got detail %q, want one that has %q", p.Detail, test.detail)
				}
			} else if a.status != test.status || strings.TrimSpace(string(a.body)) != test.answer {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, test.status, test.answer)
			}
			if got := strings.Join(o.calls, ", "); got != test.want {
				t.Errorf("the operator was told %q, want %q", got, test.want)
			}
		})
	}
	wantNone(t, "the log", s.log.String(), "secretword")
}

// TestOperatorRoutesWantItsToken holds every route that changes or tells something to the scope operate, and shows that
// none of them is on the public address.
func TestOperatorRoutesWantItsToken(t *testing.T) {
	s, o := newOperated(t)
	for _, route := range []string{
		"GET /v1/epochs", "POST /v1/epochs", "POST /v1/epochs/2/activate", "POST /v1/epochs/2/abort", "POST /v1/epochs/2/retire",
		"POST /v1/keylog/cosignatures",
	} {
		method, path, _ := strings.Cut(route, " ")
		wantProblem(t, send(t, s.admin.URL, call{method: method, path: path}), 401, "unauthorized")
		wantProblem(t, send(t, s.admin.URL, call{method: method, path: path, token: "secretword"}), 401, "unauthorized", "secretword")
		for _, scope := range []string{"discover", "register"} {
			wantProblem(t, send(t, s.admin.URL, call{method: method, path: path, token: s.mint(t, "alice", scope)}), 403, "forbidden")
		}
		a := s.send(t, call{method: method, path: path, token: s.mint(t, "olga", "operate")})
		wantProblem(t, a, 404, "not-found")
	}
	if len(o.calls) != 0 {
		t.Errorf("the operator was told %q", o.calls)
	}
}

func TestWithoutAnOperatorThereAreNoRoutes(t *testing.T) {
	s := newStack(t)
	wantProblem(t, s.operate(t, "POST", "/v1/epochs", ""), 404, "not-found")
}

func TestOperatorErrors(t *testing.T) {
	s, o := newOperated(t)
	cosignature := string(encodeJSON(t, map[string]string{"witness_key": aWitnessKey(t), "signature": "x"}))
	routes := map[string]call{
		"status":   {method: "GET", path: "/v1/epochs"},
		"rotate":   {method: "POST", path: "/v1/epochs"},
		"activate": {method: "POST", path: "/v1/epochs/2/activate"},
		"abort":    {method: "POST", path: "/v1/epochs/2/abort"},
		"retire":   {method: "POST", path: "/v1/epochs/2/retire"},
		"cosign":   {method: "POST", path: "/v1/keylog/cosignatures", body: []byte(cosignature)},
	}
	const all = "status rotate activate abort retire cosign"
	tests := []struct {
		err    error
		on     string // the routes that can have it
		status int
		code   string
	}{
		{keyring.ErrState, "activate abort retire", 409, "wrong-state"},
		{keyring.ErrNotVerified, "activate", 409, "not-verified"},
		{keyring.ErrNotSettled, "rotate retire", 409, "not-settled"},
		{keyring.ErrUnknownEpoch, "activate abort retire", 404, "unknown-epoch"},
		{keyring.ErrWindow, "rotate", 422, "invalid-rotation"},
		{keyring.ErrNoActive, all, 503, "unavailable"},
		{keyring.ErrNoLog, all, 503, "unavailable"},
		{keyring.ErrChanged, all, 503, "unavailable"},
		{keyring.ErrUnavailable, all, 503, "unavailable"},
		{fmt.Errorf("cosigning: %w", keylog.ErrSignature), "cosign", 422, "invalid-cosignature"},
		{keylog.ErrTooLarge, "cosign", 422, "invalid-cosignature"},
		{secretError{}, all, 500, "internal"},
	}
	for _, test := range tests {
		o.err = test.err
		for _, name := range strings.Fields(test.on) {
			c := routes[name]
			wantProblem(t, s.operate(t, c.method, c.path, string(c.body)), test.status, test.code, number)
		}
	}
	wantNone(t, "the log", s.log.String(), number, number[1:])
}

// TestOperatorActionsAreLogged shows that the log has who did what and how it ended, the account as a hash alone, and the
// token not at all.
func TestOperatorActionsAreLogged(t *testing.T) {
	s, o := newOperated(t)
	s.operate(t, "POST", "/v1/epochs", `{"drain_seconds":90,"window_seconds":60}`)
	s.operate(t, "POST", "/v1/epochs/2/activate", `{"accept_loss":3}`)
	o.err = keyring.ErrState
	s.operate(t, "POST", "/v1/epochs/7/abort", "")
	o.err = nil
	token := s.mint(t, "account-of-otto", "operate")
	send(t, s.admin.URL, call{method: "POST", path: "/v1/epochs/1/retire", token: token})
	s.operate(t, "GET", "/v1/epochs", "")

	type line struct {
		Msg, ID, Action, Outcome, Operator string
		Epoch                              uint32
		AcceptLoss                         int           `json:"accept_loss"`
		Window                             time.Duration `json:"window"`
	}
	var lines []line
	for text := range strings.Lines(s.log.String()) {
		var l line
		must(t, json.Unmarshal([]byte(text), &l))
		if l.Msg == "operator" {
			lines = append(lines, l)
		}
	}
	if len(lines) != 4 {
		t.Fatalf("got %d lines of operators, want 4: %s", len(lines), s.log)
	}
	for i, want := range []line{
		{Action: "rotate", Outcome: "done", Epoch: 2, Window: time.Minute},
		{Action: "activate", Outcome: "done", Epoch: 2, AcceptLoss: 3},
		{Action: "abort", Outcome: "wrong-state", Epoch: 7},
		{Action: "retire", Outcome: "done", Epoch: 1},
	} {
		got := lines[i]
		if len(got.Operator) != 16 || len(got.ID) < 16 {
			t.Errorf("line %d: operator %q, id %q, want a hash of 16 characters and the id of the request", i, got.Operator, got.ID)
		}
		if sameAsFirst := got.Operator == lines[0].Operator; sameAsFirst != (i < 3) {
			t.Errorf("line %d: operator %s, the first line has %s", i, got.Operator, lines[0].Operator)
		}
		got.Msg, got.ID, got.Operator = "", "", ""
		if got != want {
			t.Errorf("line %d: got %+v, want %+v", i, got, want)
		}
	}
	wantNone(t, "the log", s.log.String(), "olga", "otto", token, strings.Split(token, ".")[1])
}

// usageCount is a Usage.
type usageCount map[uint32]int

func (u usageCount) Add(epoch uint32, elements int) { u[epoch] += elements }

func TestEvaluationsAreCountedByKey(t *testing.T) {
	counted := make(usageCount)
	s := newStack(t, func(c *server.Config) { c.Usage = counted })
	s.discover(t, "alice", number, "+4915123456789")
	s.discover(t, "bob", number)
	service := s.mint(t, "service", "register")
	s.send(t, call{method: "PUT", path: registrationsPath, token: service, mime: mimeJSON, body: []byte(`{"number":"` + number + `"}`)})
	s.send(t, call{method: "POST", path: evaluationsPath, token: s.mint(t, "alice", "discover"), mime: mimePacked, body: make([]byte, 32)}) // the identity
	if len(counted) != 1 || counted[1] != 3 {
		t.Errorf("got %v, want the 3 elements of epoch 1", counted)
	}
}
