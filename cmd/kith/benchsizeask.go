package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kith-project/kith/bench/size"
	"github.com/kith-project/kith/crypto/voprf"
)

const (
	// sizeSenders is how many requests are under way at once.
	sizeSenders = 4
	// sizeSending is how long each kind of request is sent at a time.
	sizeSending = 400 * time.Millisecond
	// sizeSentMost is more than can be sent in that time, so that no two turns register the same number.
	sizeSentMost = 100_000
)

// sizeAsk is a kind of request.
type sizeAsk struct {
	size.Asks
	path string
	body func(i int) []byte // nil for GET
}

// ask sends each kind of request once, for its time. The least of what its turns took counts.
func (r *sizeRig) ask(ctx context.Context, round int) (err error) {
	if round == 0 {
		if r.asks, err = r.kinds(); err != nil {
			return err
		}
		if err := r.start(ctx, time.Hour); err != nil {
			return err
		}
		if err := r.settle(ctx, sizeSettled); err != nil {
			return err
		}
	}
	for i := range r.asks {
		ask := &r.asks[i]
		one, err := r.send(ctx, ask, round)
		if err != nil {
			return fmt.Errorf("%s: %w", ask.Kind, err)
		}
		if round == 0 {
			ask.Asks = one
			continue
		}
		ask.Requests += one.Requests
		ask.Server, ask.Redis = min(ask.Server, one.Server), min(ask.Redis, one.Redis)
	}
	return nil
}

// kinds are the requests that are sent.
func (r *sizeRig) kinds() ([]sizeAsk, error) {
	var kinds []sizeAsk
	add := func(kind string, units int, path string, body func(i int) []byte) {
		kinds = append(kinds, sizeAsk{size.Asks{Kind: kind, Units: units}, path, body})
	}
	for _, units := range []int{16, 256, 1024} {
		body, err := blindedElements(units)
		if err != nil {
			return nil, err
		}
		add(size.KindEvaluate, units, "/v1/epochs/1/evaluations", func(int) []byte { return body })
	}
	add(size.KindBucket, 16, "/v1/epochs/1/buckets", r.prefixes(16))
	for _, units := range []int{100, 1000} {
		add(size.KindMatch, units, "/v1/epochs/1/matches", func(int) []byte {
			body := make([]byte, 16*units)
			_, _ = rand.Read(body) // never fails
			return body
		})
		add(size.KindBucket, units, "/v1/epochs/1/buckets", r.prefixes(units))
	}
	for _, units := range []int{8, 64} {
		add(size.KindLabel, units, "/v1/epochs/1/buckets?labels=true", r.prefixes(units))
	}
	add(size.KindShard, 1, "/v1/epochs/1/snapshot/"+r.m.Shard, nil)
	add(size.KindRegister, 1, "/v1/registrations", func(i int) []byte {
		return fmt.Appendf(nil, `{"number":"+1213%07d","label":"later-%07d"}`, 2_000_000+i, i)
	})
	return kinds, nil
}

// blindedElements returns the body of a request for evaluations.
func blindedElements(n int) ([]byte, error) {
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	blinds, err := voprf.RandomBlinds(rand.Reader, n)
	if err != nil {
		return nil, err
	}
	return voprf.Blind(inputs, blinds)
}

// prefixes returns what makes the body of the i-th request: neighbouring prefixes, other ones each time.
func (r *sizeRig) prefixes(units int) func(i int) []byte {
	return func(i int) []byte {
		body := make([]byte, 0, 4*units)
		for j := range units {
			body = binary.BigEndian.AppendUint32(body, uint32((i*7919+j)%(1<<r.m.Layout.BucketBits)))
		}
		return body
	}
}

// send sends requests for a while, and returns what kith and Redis used for each beyond what they use anyway.
func (r *sizeRig) send(ctx context.Context, ask *sizeAsk, round int) (size.Asks, error) {
	a := ask.Asks
	before, _, err := r.used(ctx)
	if err != nil {
		return a, err
	}
	var sent, received atomic.Int64
	var failed sync.Once
	var wait sync.WaitGroup
	began := time.Now()
	for range sizeSenders {
		wait.Go(func() {
			for time.Since(began) < sizeSending && ctx.Err() == nil {
				n, e := r.one(ctx, ask, round*sizeSentMost+int(sent.Add(1)))
				received.Add(n)
				if e != nil {
					failed.Do(func() { err = e })
					return
				}
			}
		})
	}
	wait.Wait()
	if err = errors.Join(ctx.Err(), err); err != nil {
		return a, err
	}
	took := time.Since(began).Seconds()
	after, _, err := r.used(ctx)
	n := float64(sent.Load())
	a.Requests, a.Bytes = n, float64(received.Load())/n
	a.Server = max(0, float64((after.kith-before.kith).Microseconds())-took*r.m.IdleServer) / n
	a.Redis = max(0, float64((after.redis-before.redis).Microseconds())-took*r.m.IdleServerRedis) / n
	return a, err
}

// one sends a request, and returns how long the answer is.
func (r *sizeRig) one(ctx context.Context, ask *sizeAsk, i int) (int64, error) {
	method, token, contentType := http.MethodPost, fileDiscover, "application/octet-stream"
	var reader io.Reader
	switch {
	case ask.body == nil:
		method = http.MethodGet
	case ask.Kind == size.KindRegister:
		method, token, contentType = http.MethodPut, fileRegister, "application/json"
		fallthrough
	default:
		reader = bytes.NewReader(ask.body(i))
	}
	request, err := http.NewRequestWithContext(ctx, method, r.server.Said["serving"]+ask.path, reader)
	if err != nil {
		return 0, err
	}
	if ask.Kind == size.KindEvaluate || ask.Kind == size.KindRegister {
		bearer, err := readToken(filepath.Join(r.dir, "keys", token))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	if ask.body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	return n, err
}
