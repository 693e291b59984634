package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// tap stands before the server of a demo and keeps what it receives, so that the demo can search it for the address
// book and count it.
type tap struct {
	next http.Handler

	mu       sync.Mutex
	on       bool
	received bytes.Buffer // request lines, headers and bodies
	routes   []routeCount // in order of first use
}

// routeCount sums up the requests of one route.
type routeCount struct {
	route     string // method and path
	requests  int
	body      int  // bytes
	anonymous bool // no Authorization
}

func newTap(next http.Handler) *tap { return &tap{next: next} }

// begin starts keeping.
func (t *tap) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on = true
}

// ServeHTTP keeps the request and passes it on.
func (t *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const most = 64 << 20
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		t.keep(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	t.next.ServeHTTP(w, r)
}

func (t *tap) keep(r *http.Request, body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on {
		return
	}
	fmt.Fprintf(&t.received, "%s %s\n", r.Method, r.URL)
	_ = r.Header.Write(&t.received)
	t.received.Write(body)
	count := t.count(r.Method + " " + routeOf(r.URL.Path))
	count.requests++
	count.body += len(body)
	count.anonymous = r.Header.Get("Authorization") == ""
}

// routeOf returns a path without the name of a shard.
func routeOf(path string) string {
	if before, _, isShard := strings.Cut(path, "/snapshot/"); isShard {
		return before + "/snapshot/{shard}"
	}
	return path
}

func (t *tap) count(route string) *routeCount {
	for i := range t.routes {
		if t.routes[i].route == route {
			return &t.routes[i]
		}
	}
	t.routes = append(t.routes, routeCount{route: route})
	return &t.routes[len(t.routes)-1]
}

// search returns how many of the words are in what was received, whatever their case.
func (t *tap) search(words []string) (found int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	received := strings.ToLower(t.received.String())
	for _, word := range words {
		if strings.Contains(received, strings.ToLower(word)) {
			found++
		}
	}
	return found
}

// summary returns what was received: bytes in all, and by route.
func (t *tap) summary() (int, []routeCount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.received.Len(), append([]routeCount(nil), t.routes...)
}
