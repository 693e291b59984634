//go:build large

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/keyring"
)

// The load: what each kind asks, and how often.
const (
	poolSize = 1000 // users that are looked up, and as many that are not registered
	askedFor = 32   // of each in one lookup
)

// rotationLoad is a constant load of lookups, evaluations and registrations, each answer of which is checked.
type rotationLoad struct {
	rig    *largeRig
	client *http.Client
	tokens map[string]string
	cancel context.CancelFunc
	wg     sync.WaitGroup
	turn   atomic.Uint64 // by which requests alternate between the servers

	mu          sync.Mutex
	recent, all map[string][]time.Duration // times of answers, by kind
	wrong       []string
	retried     int // requests that a server did not answer since it was killed, and the other then did

	pools sync.Map // epoch id: *pool
}

// pool is the tags in one epoch of the users that are looked up.
type pool struct{ registered, unknown []crypto.Tag }

// startLoad starts the load.
func (r *largeRig) startLoad(t *testing.T) *rotationLoad {
	t.Helper()
	l := &rotationLoad{rig: r, client: &http.Client{Timeout: 30 * time.Second}, tokens: map[string]string{},
		recent: map[string][]time.Duration{}, all: map[string][]time.Duration{}}
	l.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	for _, name := range []string{"discover", "register"} {
		token, err := readToken(r.server(0).token(name))
		if err != nil {
			t.Fatal(err)
		}
		l.tokens[name] = token
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	for range 4 {
		l.repeat(ctx, 40*time.Millisecond, l.match)
		l.repeat(ctx, 40*time.Millisecond, l.bucket)
	}
	l.repeat(ctx, 200*time.Millisecond, l.evaluate)
	for w := range 4 {
		churn := newChurn(l, w)
		l.repeat(ctx, 100*time.Millisecond, churn.step)
	}
	l.repeat(ctx, 500*time.Millisecond, l.prepare)
	t.Cleanup(l.stop)
	return l
}

// repeat does something at intervals until ctx ends. What takes longer than an interval makes the next come late.
func (l *rotationLoad) repeat(ctx context.Context, every time.Duration, do func()) {
	l.wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				do()
			}
		}
	})
}

func (l *rotationLoad) stop() {
	l.cancel()
	l.wg.Wait()
}

// active returns the epoch that devices use.
func (l *rotationLoad) active() *keyring.Epoch {
	for {
		if s, err := l.rig.keys.Current(); err == nil && s.Active() != nil {
			return s.Active()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// prepare computes the tags of an epoch that is staged before devices use it.
func (l *rotationLoad) prepare() {
	if s, err := l.rig.keys.Current(); err == nil && s.Staged() != nil {
		l.pool(s.Staged())
	}
}

// pool returns the tags of an epoch.
func (l *rotationLoad) pool(e *keyring.Epoch) *pool {
	if p, ok := l.pools.Load(e.ID); ok {
		return p.(*pool)
	}
	p := &pool{}
	for i := range poolSize {
		p.registered = append(p.registered, tagOf(e, largeNumber(i*(l.rig.users/poolSize))))
		p.unknown = append(p.unknown, tagOf(e, largeNumber(4_000_000+i)))
	}
	l.pools.Store(e.ID, p)
	return p
}

func tagOf(e *keyring.Epoch, number string) crypto.Tag {
	n, err := e.Key.Evaluate([][]byte{normalize.Input(number)})
	if err != nil {
		panic(err)
	}
	tag, _ := crypto.Derive(n[0])
	return tag
}

// pick returns some users of a pool and some that are none.
func (p *pool) pick() (registered, all []crypto.Tag) {
	for range askedFor {
		registered = append(registered, p.registered[mathrand.IntN(poolSize)])
		all = append(all, p.unknown[mathrand.IntN(poolSize)])
	}
	slices.SortFunc(registered, func(a, b crypto.Tag) int { return bytes.Compare(a[:], b[:]) })
	registered = slices.Compact(registered)
	return registered, append(all, registered...)
}

// match looks tags up and wants those of the users.
func (l *rotationLoad) match() {
	e := l.active()
	registered, all := l.pool(e).pick()
	if found := l.matches(e, all); found != nil {
		slices.SortFunc(found, func(a, b crypto.Tag) int { return bytes.Compare(a[:], b[:]) })
		if !slices.Equal(found, registered) {
			l.fail("matches in epoch %d: %d found, want %d", e.ID, len(found), len(registered))
		}
	}
}

// matches returns the tags that are registered of those given, or nil if the request failed.
func (l *rotationLoad) matches(e *keyring.Epoch, tags []crypto.Tag) []crypto.Tag {
	var body []byte
	for _, tag := range tags {
		body = append(body, tag[:]...)
	}
	answer := l.send("matches", http.MethodPost, fmt.Sprintf("/v1/epochs/%d/matches", e.ID), "application/octet-stream", "", body, http.StatusOK)
	if answer == nil {
		return nil
	}
	found := []crypto.Tag{}
	for one := range slices.Chunk(answer, crypto.TagSize+crypto.SealedLabelSize) {
		found = append(found, crypto.Tag(one))
	}
	return found
}

// bucket looks prefixes up and wants the short tags of the users.
func (l *rotationLoad) bucket() {
	e := l.active()
	registered, _ := l.pool(e).pick()
	bits := int(e.Layout.BucketBits)
	// They are in order, so that those of one bucket stand together. A prefix is asked for once.
	registered = slices.CompactFunc(registered, func(a, b crypto.Tag) bool { return a.Prefix(bits) == b.Prefix(bits) })
	prefixes := make([]uint32, len(registered))
	for i, tag := range registered {
		prefixes[i] = tag.Prefix(bits)
	}
	body, _ := json.Marshal(map[string]any{"prefixes": prefixes})
	answer := l.send("buckets", http.MethodPost, fmt.Sprintf("/v1/epochs/%d/buckets", e.ID), "application/json", "", body, http.StatusOK)
	if answer == nil {
		return
	}
	var m struct {
		TagBytes int `json:"tag_bytes"`
		Buckets  []struct {
			Tags string `json:"tags"`
		} `json:"buckets"`
	}
	if err := json.Unmarshal(answer, &m); err != nil || len(m.Buckets) != len(registered) {
		l.fail("buckets in epoch %d: %d answered, %v", e.ID, len(m.Buckets), err)
		return
	}
	for i, tag := range registered {
		short, err := base64.RawURLEncoding.DecodeString(m.Buckets[i].Tags)
		if err != nil || !hasShort(short, tag.AppendShort(nil, bits, m.TagBytes)) {
			l.fail("buckets in epoch %d: a user is not in its bucket, %v", e.ID, err)
		}
	}
}

func hasShort(tags, short []byte) bool {
	for one := range slices.Chunk(tags, len(short)) {
		if bytes.Equal(one, short) {
			return true
		}
	}
	return false
}

// evaluate has elements evaluated as a device does, and checks the proof.
func (l *rotationLoad) evaluate() {
	e := l.active()
	const n = 16
	blinds, err := voprf.RandomBlinds(rand.Reader, n)
	if err != nil {
		panic(err)
	}
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = normalize.Input(largeNumber(i))
	}
	blinded, err := voprf.Blind(inputs, blinds)
	if err != nil {
		panic(err)
	}
	answer := l.send("evaluations", http.MethodPost, fmt.Sprintf("/v1/epochs/%d/evaluations", e.ID), "application/octet-stream", "discover", blinded, http.StatusOK)
	if answer == nil {
		return
	}
	evaluated := answer[:len(answer)-voprf.ProofSize]
	if err := e.PublicKey.VerifyProof(blinded, evaluated, voprf.Proof(answer[len(evaluated):])); err != nil {
		l.fail("evaluations in epoch %d: %v", e.ID, err)
	}
}

// churn registers, hides and deletes numbers of its own, one after the other, and looks each up in the active epoch once
// that is acknowledged.
type churn struct {
	load    *rotationLoad
	numbers []string
	state   map[string]string // what was acknowledged last: "visible", "hidden" or "deleted"
}

func newChurn(l *rotationLoad, worker int) *churn {
	c := &churn{load: l, state: map[string]string{}}
	for i := range 25 {
		c.numbers = append(c.numbers, largeNumber(5_000_000+100*worker+i))
	}
	return c
}

// step makes one write and one lookup.
func (c *churn) step() {
	number := c.numbers[mathrand.IntN(len(c.numbers))]
	body := map[string]any{"number": number}
	method, state := http.MethodPut, "visible"
	switch mathrand.IntN(4) {
	case 0:
		method, state = http.MethodDelete, "deleted"
	case 1:
		body["label"], body["discoverable"], state = "churn", false, "hidden"
	default:
		body["label"] = "churn"
	}
	data, _ := json.Marshal(body)
	if c.load.send("registrations", method, "/v1/registrations", "application/json", "register", data, http.StatusNoContent) == nil {
		return
	}
	c.state[number] = state
	e := c.load.active()
	found := c.load.matches(e, []crypto.Tag{tagOf(e, number)})
	if found != nil && (len(found) == 1) != (state == "visible") {
		c.load.fail("a number that is %s is found %d times in epoch %d", state, len(found), e.ID)
	}
}

// send sends a request to one of the servers, or to the other if that one does not answer. It returns the body, or nil
// after it has recorded a failure.
func (l *rotationLoad) send(kind, method, path, mediaType, token string, body []byte, want int) []byte {
	began := time.Now()
	for attempt := uint64(0); ; attempt++ {
		url := l.rig.server(int((l.turn.Add(1) + attempt) % 2)).url
		request, err := http.NewRequest(method, url+path, bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		request.Header.Set("Content-Type", mediaType)
		if mediaType != "application/json" {
			request.Header.Set("Accept", mediaType)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+l.tokens[token])
		}
		answer, err := l.client.Do(request)
		var data []byte
		if err == nil {
			data, err = io.ReadAll(answer.Body)
			_ = answer.Body.Close()
		}
		if err != nil && attempt < 200 {
			l.mu.Lock()
			l.retried++
			l.mu.Unlock()
			time.Sleep(25 * time.Millisecond)
			continue
		}
		if err != nil || answer.StatusCode != want {
			l.fail("%s: %v %.200s", kind, err, data)
			return nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.recent[kind] = append(l.recent[kind], time.Since(began))
		l.all[kind] = append(l.all[kind], time.Since(began))
		return append([]byte{}, data...)
	}
}

func (l *rotationLoad) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// take returns the times since it was called last, and total those of all.
func (l *rotationLoad) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := describe(l.recent)
	l.recent = map[string][]time.Duration{}
	return text
}

func (l *rotationLoad) total() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("all: %s; %d requests repeated", describe(l.all), l.retried)
}

// describe gives number, median and 99th percentile of each kind.
func describe(times map[string][]time.Duration) string {
	var parts []string
	for _, kind := range []string{"matches", "buckets", "evaluations", "registrations"} {
		sorted := slices.Sorted(slices.Values(times[kind]))
		if n := len(sorted); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d p50 %.1f p99 %.1f ms", kind, n, ms(sorted[n/2]), ms(sorted[n*99/100])))
		}
	}
	return strings.Join(parts, ", ")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// check fails the test for each answer that was wrong.
func (l *rotationLoad) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, text := range l.wrong {
		if i == 20 {
			t.Errorf("and %d more", len(l.wrong)-i)
			break
		}
		t.Error(text)
	}
	if t.Failed() {
		for i := range l.rig.servers {
			for line := range strings.Lines(l.rig.server(i).log.String()) {
				if strings.Contains(line, "cause=") || strings.Contains(line, "status=5") {
					t.Logf("server %d: %s", i, line)
				}
			}
		}
	}
	if len(l.all["matches"]) == 0 || len(l.all["registrations"]) == 0 {
		t.Error("the load asked nothing")
	}
}
