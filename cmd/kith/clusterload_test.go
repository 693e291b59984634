package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// onCluster starts kith serve on a cluster. Its address is the second result.
func onCluster(t testing.TB, cluster *redistest.Cluster, users int, more ...string) (*serving, string) {
	t.Helper()
	first := cluster.Masters[0]
	address := url.URL{Scheme: "redis", User: url.UserPassword("", first.Password()), Host: first.Addr()}
	query := url.Values{}
	for _, node := range append(cluster.Masters[1:], cluster.Replicas...) {
		query.Add("addr", node.Addr())
	}
	address.RawQuery = query.Encode()
	args := append([]string{"--redis", address.String(), "--cluster", "--expected-users", fmt.Sprint(users), "--admin", "127.0.0.1:0"}, more...)
	return serve(t, t.TempDir(), args...), address.String()
}

// clusterLoad is a constant load on a server, each answer of which is checked. The users up to half are registered before it
// begins, and as many others never are.
type clusterLoad struct {
	t      testing.TB
	s      *serving
	epoch  *keyring.Epoch
	known  []crypto.Tag
	others []crypto.Tag
	client *http.Client
	tokens map[string]string
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	right   map[string]int // requests that were answered rightly, by kind
	refused int            // that were answered with 503
	wrong   []string
	written []written // registrations that were acknowledged
}

// written is a registration of the load.
type written struct {
	user int
	at   time.Time // of the acknowledgement
}

// startClusterLoad starts the load on the users that were imported. Writers register users from the given one on.
func startClusterLoad(t testing.TB, s *serving, r *reader, users, writeFrom int) *clusterLoad {
	t.Helper()
	snapshot, err := r.keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &clusterLoad{t: t, s: s, epoch: snapshot.Active(), client: &http.Client{Timeout: 20 * time.Second}, cancel: cancel,
		tokens: make(map[string]string), right: make(map[string]int)}
	l.client.Transport = &http.Transport{MaxIdleConnsPerHost: 16}
	for _, name := range []string{"discover", "register"} {
		if l.tokens[name], err = readToken(s.token(name)); err != nil {
			t.Fatal(err)
		}
	}
	l.known, l.others = l.tags(0, users), l.tags(5_000_000, 5_000_000+users)
	for w := range 2 {
		l.repeat(ctx, func(i int) { l.match(37 * (2*i + w)) })
		l.repeat(ctx, func(i int) { l.buckets(53*(2*i+w), w == 1) })
		l.repeat(ctx, func(i int) { l.write(writeFrom + 2*i + w) })
	}
	l.repeat(ctx, l.evaluate)
	t.Cleanup(l.stop)
	return l
}

// repeat does something at intervals until ctx ends.
func (l *clusterLoad) repeat(ctx context.Context, do func(i int)) {
	l.wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			do(i)
			_ = pause(ctx, 5*time.Millisecond)
		}
	})
}

func (l *clusterLoad) stop() {
	l.cancel()
	l.wg.Wait()
}

// tags returns the tags of users.
func (l *clusterLoad) tags(from, to int) []crypto.Tag {
	l.t.Helper()
	var inputs [][]byte
	for i := from; i < to; i++ {
		inputs = append(inputs, normalize.Input(importNumber(i)))
	}
	elements, err := l.epoch.Key.Evaluate(inputs)
	if err != nil {
		l.t.Error(err)
	}
	tags := make([]crypto.Tag, len(elements))
	for i, n := range elements {
		tags[i], _ = crypto.Derive(n)
	}
	return tags
}

// send sends a request and returns a good answer, or nil. 503 has to come with a time to try again.
func (l *clusterLoad) send(kind, method, path, content, scope string, body []byte) []byte {
	request, err := http.NewRequest(method, l.s.url+path, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", content)
	if scope != "" {
		request.Header.Set("Authorization", "Bearer "+l.tokens[scope])
	}
	if kind == "evaluations" { // whose record is of the account's slot, and new each time
		request.Header.Set("Idempotency-Key", fmt.Sprintf("load-%d", time.Now().UnixNano()))
	}
	answer, err := l.client.Do(request)
	if err != nil {
		l.fail("%s: %v", kind, err)
		return nil
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		l.fail("%s: %v", kind, err)
		return nil
	case answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused++
		return nil
	case answer.StatusCode/100 != 2:
		l.fail("%s: %s: %s", kind, answer.Status, data)
		return nil
	}
	return append([]byte{}, data...)
}

func (l *clusterLoad) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

func (l *clusterLoad) ok(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.right[kind]++
}

// found looks up tags, and returns those that are registered; nil if that was refused.
func (l *clusterLoad) found(kind string, tags []crypto.Tag) []crypto.Tag {
	var body []byte
	for _, tag := range tags {
		body = append(body, tag[:]...)
	}
	answer := l.send(kind, http.MethodPost, fmt.Sprintf("/v1/epochs/%d/matches", l.epoch.ID), "application/octet-stream", "", body)
	if answer == nil {
		return nil
	}
	found := []crypto.Tag{}
	for one := range slices.Chunk(answer, crypto.TagSize+crypto.SealedLabelSize) {
		found = append(found, crypto.Tag(one[:crypto.TagSize]))
	}
	return found
}

// match looks up users who are registered and as many who are not.
func (l *clusterLoad) match(from int) {
	const n = 16
	from %= len(l.known) - n
	known, others := l.known[from:from+n], l.others[from:from+n]
	found := l.found("matches", append(slices.Clone(known), others...))
	switch {
	case found == nil:
	case !slices.Equal(found, known):
		l.fail("matches: %d found, want %d", len(found), n)
	default:
		l.ok("matches")
	}
}

// buckets looks up the bucket of one who is registered, with the labels of all that are in it or without.
func (l *clusterLoad) buckets(i int, labels bool) {
	tag := l.known[i%len(l.known)]
	bits := int(l.epoch.Layout.BucketBits)
	body, _ := json.Marshal(map[string]any{"prefixes": []uint32{tag.Prefix(bits)}, "labels": labels})
	answer := l.send("buckets", http.MethodPost, fmt.Sprintf("/v1/epochs/%d/buckets", l.epoch.ID), "application/json", "", body)
	if answer == nil {
		return
	}
	var got struct {
		TagBytes int `json:"tag_bytes"`
		Buckets  []struct {
			Text string `json:"tags"`
		} `json:"buckets"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || len(got.Buckets) != 1 {
		l.fail("buckets: not one bucket: %v", err)
		return
	}
	tags, err := base64.RawURLEncoding.DecodeString(got.Buckets[0].Text)
	if err != nil {
		l.fail("buckets: %v", err)
		return
	}
	short := tag.AppendShort(nil, bits, got.TagBytes)
	for one := range slices.Chunk(tags, got.TagBytes) {
		if bytes.Equal(one, short) {
			l.ok("buckets")
			return
		}
	}
	l.fail("buckets: one who is registered is not in the bucket")
}

// write registers a user and looks it up; every third is removed then, and looked up again.
func (l *clusterLoad) write(user int) {
	tag := l.tags(user, user+1)
	change := func(method string, want int) bool {
		body, _ := json.Marshal(map[string]any{"number": importNumber(user)})
		if l.send("registrations", method, "/v1/registrations", "application/json", "register", body) == nil {
			return false
		}
		at := time.Now()
		found := l.found("own matches", tag)
		if found == nil {
			return false
		}
		if len(found) != want {
			l.fail("own matches: %d found after %s, want %d", len(found), method, want)
			return false
		}
		l.ok("registrations")
		if method == http.MethodPut && user%3 != 0 {
			l.mu.Lock()
			l.written = append(l.written, written{user, at})
			l.mu.Unlock()
		}
		return true
	}
	if change(http.MethodPut, 1) && user%3 == 0 {
		change(http.MethodDelete, 0)
	}
}

// evaluate has a few elements evaluated, and checks the proof.
func (l *clusterLoad) evaluate(i int) {
	blinds, err := voprf.RandomBlinds(rand.Reader, 2)
	if err != nil {
		l.fail("blinds: %v", err)
		return
	}
	blinded, err := voprf.Blind([][]byte{normalize.Input(importNumber(i)), normalize.Input(importNumber(i + 1))}, blinds)
	if err != nil {
		l.fail("blind: %v", err)
		return
	}
	answer := l.send("evaluations", http.MethodPost, fmt.Sprintf("/v1/epochs/%d/evaluations", l.epoch.ID), "application/octet-stream", "discover", blinded)
	if answer == nil {
		return
	}
	want, err := l.epoch.Key.Evaluate([][]byte{normalize.Input(importNumber(i)), normalize.Input(importNumber(i + 1))})
	if err != nil || len(answer) < 2*voprf.ElementSize {
		l.fail("evaluations: %d bytes, %v", len(answer), err)
		return
	}
	got, err := voprf.Unblind(blinds, answer[:2*voprf.ElementSize])
	if err != nil || !slices.Equal(got, want) {
		l.fail("evaluations: another element, %v", err)
		return
	}
	l.ok("evaluations")
}

// refusals returns how many requests were answered with 503 until now.
func (l *clusterLoad) refusals() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// check wants every kind of request to have been answered, all rightly but for so many that were refused.
func (l *clusterLoad) check(refused int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, kind := range []string{"matches", "buckets", "registrations", "evaluations"} {
		if l.right[kind] < 10 {
			l.t.Errorf("%s: %d answered", kind, l.right[kind])
		}
	}
	if l.refused != refused {
		l.t.Errorf("%d requests were refused, want %d", l.refused, refused)
	}
	for i, text := range l.wrong {
		if i == 10 {
			l.t.Errorf("and %d more", len(l.wrong)-i)
			break
		}
		l.t.Error(text)
	}
}

// wantWritten wants everyone stored whose registration the load saw acknowledged, but for those between two times, if they
// are given, whom a failover may have lost.
func (l *clusterLoad) wantWritten(t testing.TB, r *reader, lost ...time.Time) {
	t.Helper()
	stored := 0
	for _, w := range l.written {
		_, _, err := r.store.Get(context.Background(), l.epoch.Layout, l.tags(w.user, w.user+1)[0])
		switch {
		case err != nil && !errors.Is(err, directory.ErrNotFound):
			t.Fatal(err)
		case err == nil:
			stored++
		case len(lost) == 2 && w.at.After(lost[0]) && w.at.Before(lost[1]):
			t.Logf("a registration was lost that was acknowledged %v before the kill", lost[1].Sub(w.at))
		default:
			t.Errorf("user %d was registered, and is not", w.user)
		}
	}
	if stored < 10 {
		t.Errorf("%d registrations of the load are stored, too few to tell", stored)
	}
}

// clusterKeys returns the keys of all masters that match a pattern.
func clusterKeys(t testing.TB, cluster *redistest.Cluster, pattern string) ([]string, error) {
	t.Helper()
	var all []string
	for _, node := range cluster.Masters {
		keys, err := node.Client().Keys(context.Background(), pattern).Result()
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	return all, nil
}
