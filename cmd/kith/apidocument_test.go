package main

import (
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/kith-project/kith/server/apitest"
)

// apiDocument returns the API document.
var apiDocument = sync.OnceValues(func() (*apitest.Document, error) { return apitest.Read(root + "/docs/openapi.yaml") })

// documented starts a proxy before a server, which holds each exchange to the API document, and returns its URL and what
// ends it. The proxy calls report, from any goroutine, for what is not as documented.
func documented(server string, report func(error)) (string, func(), error) {
	d, err := apiDocument()
	if err != nil {
		return "", nil, err
	}
	target, err := url.Parse(server)
	if err != nil {
		return "", nil, err
	}
	proxy := httptest.NewServer(d.Proxy(target, report))
	return proxy.URL, proxy.Close, nil
}

// through returns the URL of a proxy before a server, which fails the test for what is not as documented.
func through(t testing.TB, server string) string {
	t.Helper()
	address, end, err := documented(server, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return address
}
