package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

const (
	// operatorPatience is how long an operator waits for an answer.
	operatorPatience = 3 * time.Second
	// awaitTimeout bounds how long an operator waits for an epoch to get somewhere.
	awaitTimeout = 2 * time.Second
	awaitPause   = 40 * time.Millisecond
)

// operator gives orders, as kith epoch does.
type operator struct {
	name       string
	deployment *deployment
	http       *http.Client
	orders     *orderBook
}

func newOperator(name string, d *deployment, b *orderBook) *operator {
	transport := &http.Transport{DisableKeepAlives: true}
	return &operator{name: name, deployment: d, orders: b, http: &http.Client{Transport: transport, Timeout: operatorPatience}}
}

// orderBook has what operators were told is done.
type orderBook struct {
	mu     sync.Mutex
	begun  map[uint32]bool        // by the id of the epoch
	states map[uint32][]orderKind // acknowledged orders
}

func newOrderBook() *orderBook {
	return &orderBook{begun: make(map[uint32]bool), states: make(map[uint32][]orderKind)}
}

// standing is what GET /v1/epochs of the admin listener says.
type standing struct {
	Epochs []struct {
		ID       uint32        `json:"id"`
		State    keyring.State `json:"state"`
		Rotation *struct {
			Phase string `json:"phase"`
		} `json:"rotation"`
	} `json:"epochs"`
}

// first returns the lowest epoch in a state, 0 if there is none, and its phase.
func (s standing) first(state keyring.State) (uint32, string) {
	for _, e := range s.Epochs {
		if e.State != state {
			continue
		}
		if e.Rotation != nil {
			return e.ID, e.Rotation.Phase
		}
		return e.ID, ""
	}
	return 0, ""
}

// give gives an order to a server.
func (o *operator) give(what order) {
	switch what.kind {
	case rotate:
		o.ask(what, http.MethodPost, "/v1/epochs", map[string]any{
			"auto": what.auto, "window_seconds": what.window, "drain_seconds": what.drain, "expected_users": what.users,
		})
	case activate:
		o.onEpoch(what, keyring.StateStaged, "activate")
	case abort:
		o.onEpoch(what, keyring.StateStaged, "abort")
	case retire:
		o.onEpoch(what, keyring.StateDraining, "retire")
	default:
		o.await(what)
	}
}

// onEpoch gives an order about the first epoch in a state. Without one it is about the last epoch of all, which is to be
// refused or to do nothing.
func (o *operator) onEpoch(what order, state keyring.State, step string) {
	s, ok := o.standing(what.server)
	if !ok || len(s.Epochs) == 0 {
		return
	}
	id, _ := s.first(state)
	if id == 0 {
		id = s.Epochs[len(s.Epochs)-1].ID
	}
	o.ask(what, http.MethodPost, fmt.Sprintf("/v1/epochs/%d/%s", id, step), nil)
}

// ask makes a request to a server, or to the next if nobody listens there, and notes the answer. It reports whether there
// was one that says what became of the request.
func (o *operator) ask(what order, method, path string, body any) bool {
	j := o.deployment.journal
	for i := range servers {
		server := (what.server + i) % servers
		began := j.now()
		a, err := o.send(server, method, path, body)
		text := a.String()
		if err != nil {
			_, text = errorOutcome(err)
		}
		j.add(&entry{began: began, ended: j.now(), who: o.name, what: fmt.Sprintf("→ %d  %v (%s)", server, what, path), answer: text})
		if err != nil {
			if unheard, _ := errorOutcome(err); unheard == unreached {
				continue
			}
			return false
		}
		o.answered(what, path, a)
		return a.status != http.StatusServiceUnavailable
	}
	return false
}

// answered notes what an operator was told.
func (o *operator) answered(what order, path string, a answer) {
	if !slices.Contains([]int{http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusConflict, http.StatusServiceUnavailable}, a.status) {
		o.deployment.journal.fault("%s: %v was answered %v", o.name, what, a)
	}
	b := o.orders
	b.mu.Lock()
	defer b.mu.Unlock()
	var epoch uint32
	switch a.status {
	case http.StatusCreated:
		var begun struct {
			ID uint32 `json:"id"`
		}
		if err := json.Unmarshal(a.body, &begun); err != nil || begun.ID == 0 || b.begun[begun.ID] {
			o.deployment.journal.fault("%s: a rotation was begun to epoch %d, which another was begun to before", o.name, begun.ID)
		}
		b.begun[begun.ID] = true
	case http.StatusNoContent:
		if _, err := fmt.Sscanf(path, "/v1/epochs/%d/", &epoch); err == nil {
			b.states[epoch] = append(b.states[epoch], what.kind)
		}
	}
}

// send makes a request to the admin listener of a server.
func (o *operator) send(server int, method, path string, body any) (answer, error) {
	token, err := o.deployment.token(server, "operate")
	if err != nil {
		return answer{}, err
	}
	p := o.deployment.process(server)
	return p.send(o.http, method, p.admin+path, token, body)
}

// standing asks a server, or the next, how the epochs stand.
func (o *operator) standing(server int) (standing, bool) {
	for i := range servers {
		a, err := o.send((server+i)%servers, http.MethodGet, "/v1/epochs", nil)
		var s standing
		if err == nil && a.status == http.StatusOK && json.Unmarshal(a.body, &s) == nil {
			return s, true
		}
		if err == nil && a.status != http.StatusServiceUnavailable {
			o.deployment.journal.fault("%s: the question how the epochs stand was answered %v", o.name, a)
		}
	}
	return standing{}, false
}

// await waits until the epochs stand as the order says, or for awaitTimeout.
func (o *operator) await(what order) {
	j := o.deployment.journal
	began, text := j.now(), "in vain"
	for deadline := time.Now().Add(awaitTimeout); time.Now().Before(deadline); time.Sleep(awaitPause) {
		s, ok := o.standing(what.server)
		if !ok {
			continue
		}
		staged, phase := s.first(keyring.StateStaged)
		_, active := s.first(keyring.StateActive)
		if staged == 0 && (what.kind != awaitSettled || active != "settle") || what.kind == awaitVerified && phase == "ready" {
			text = "so it is"
			break
		}
	}
	j.add(&entry{began: began, ended: j.now(), who: o.name, what: what.String(), answer: text})
}
