package client

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"testing"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestTransportsAreSeparate(t *testing.T) {
	byHand := &http.Transport{
		TLSClientConfig: &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)},
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{
			"h2": func(string, *tls.Conn) http.RoundTripper { return nil },
		},
	}
	custom := roundTripFunc(nil)
	for _, tt := range []struct {
		name         string
		http, lookup http.RoundTripper
		shared       bool
	}{
		{"none given", nil, nil, false},
		{"a transport", byHand, nil, false},
		{"both", byHand, &http.Transport{}, false},
		{"something else", &custom, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metered, lookups, _ := newHTTPClients(Options{HTTP: tt.http, LookupHTTP: tt.lookup})
			if shared := metered.Transport == lookups.Transport; shared != tt.shared {
				t.Errorf("shared: got %v, want %v", shared, tt.shared)
			}
			if metered.Jar != nil || lookups.Jar != nil {
				t.Error("a client keeps cookies")
			}
			own, ok := lookups.Transport.(*http.Transport)
			if !ok || tt.lookup != nil {
				return
			}
			if own.TLSClientConfig.ClientSessionCache != nil || own.TLSNextProto["h2"] != nil {
				t.Error("lookups share TLS sessions or HTTP/2 connections")
			}
			if tt.http == nil && own.TLSClientConfig.MinVersion != tls.VersionTLS13 {
				t.Error("an own transport allows less than TLS 1.3")
			}
		})
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f *roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return (*f)(r) }
