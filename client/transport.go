package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
)

// newHTTPClients returns the client for metered requests and that for lookups, which share nothing unless the options
// make them, and a function that ends the idle connections of both as far as no one else uses them. Neither keeps
// cookies or follows redirects.
func newHTTPClients(o Options) (metered, lookups *http.Client, closeIdle func()) {
	var own []*http.Transport
	adopt := func(t *http.Transport) http.RoundTripper {
		own = append(own, t)
		return t
	}
	first, second := o.HTTP, o.LookupHTTP
	if first == nil {
		first = adopt(ownTransport())
	}
	if second == nil {
		if t, ok := first.(*http.Transport); ok {
			second = adopt(separate(t))
		} else {
			second = first
		}
	}
	closeIdle = func() {
		for _, t := range own {
			t.CloseIdleConnections()
		}
	}
	return newHTTPClient(first), newHTTPClient(second), closeIdle
}

func newHTTPClient(via http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: via,
		// The answer is returned as it is, and refused: a redirect would send tokens or tags elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ownTransport has the proxies and timeouts of http.DefaultTransport. TLS 1.3 brings X25519MLKEM768, Go's default:
// recorded traffic stays closed to quantum computers.
func ownTransport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if std, ok := http.DefaultTransport.(*http.Transport); ok {
		t = std.Clone()
	}
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.MinVersion = tls.VersionTLS13
	t.DisableCompression = true // elements and sealed labels are random
	return separate(t)
}

// separate returns a copy of t that shares no connections and no TLS sessions with it.
func separate(t *http.Transport) *http.Transport {
	t = t.Clone()
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.ClientSessionCache = nil
	}
	// HTTP/2 that was configured by hand is an entry that leads to the connections of the original.
	if _, byHand := t.TLSNextProto["h2"]; byHand {
		t.TLSNextProto = nil
		t.ForceAttemptHTTP2 = true
	}
	return t
}

// networkError is a request without an answer.
type networkError struct {
	request string
	cause   error
}

// Error has the cause's text only for kinds of errors whose texts are known: others quote what came over the line.
func (e *networkError) Error() string {
	text := "no usable answer"
	var operation *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(e.cause, &certificate):
		text = certificate.Error()
	case errors.Is(e.cause, context.DeadlineExceeded):
		text = "no answer in time"
	case errors.As(e.cause, &operation):
		text = operation.Error()
	case errors.Is(e.cause, io.ErrUnexpectedEOF), errors.Is(e.cause, io.EOF):
		text = "connection lost"
	}
	return "client: " + e.request + ": " + text
}

func (e *networkError) Unwrap() error { return e.cause }

// permanent reports whether trying again is pointless: a certificate will not be better in some seconds.
func (e *networkError) permanent() bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(e.cause, &certificate)
}
