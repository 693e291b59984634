package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// maxKeySet is the longest text of keys that is read, in bytes.
	maxKeySet = 256 << 10
	// readTimeout bounds one read of a URL, from the look-up of its name to the last byte.
	readTimeout = 5 * time.Second
)

var (
	// ErrLocation means a location that is neither a path nor an https URL.
	ErrLocation = errors.New("token: keys are read from a path or an https URL (http only from this machine)")
	// ErrUnreadable means keys that can not be read from their location.
	ErrUnreadable = errors.New("token: keys can not be read")
)

// reader reads the text at a location of keys.
type reader func(ctx context.Context) ([]byte, error)

// readerOf returns what reads a location: a path, or a URL.
func readerOf(location string, transport http.RoundTripper) (reader, error) {
	if location == "" {
		return nil, ErrLocation
	}
	if !strings.Contains(location, "://") {
		return func(context.Context) ([]byte, error) { return readFile(location) }, nil
	}
	u, err := url.Parse(location)
	// Not with a password in it, which would be on the command line for all to see.
	if err != nil || u.User != nil || u.Hostname() == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, ErrLocation
	}
	client := &http.Client{Transport: transport, CheckRedirect: stay}
	if transport == nil {
		client.Transport = newTransport()
	}
	return func(ctx context.Context) ([]byte, error) { return readURL(ctx, client, u.String()) }, nil
}

// loopback tells whether a host is this machine, from which keys may come without TLS: on any other way they could be
// exchanged.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// stay follows no redirect: whoever can place one at the issuer could have keys read from elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// newTransport returns a transport that keeps no connection between reads, which are minutes apart.
func newTransport() http.RoundTripper {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	return t
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	return readAll(f)
}

func readURL(ctx context.Context, client *http.Client, location string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, ErrLocation
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, unreadable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: answered with status %d", ErrUnreadable, response.StatusCode)
	}
	return readAll(response.Body)
}

func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("%w: longer than 256 KiB", ErrUnreadable)
	}
	return text, nil
}

// unreadable says why a read failed, without the URL, whose query may be confidential.
func unreadable(err error) error {
	var in *url.Error
	if errors.As(err, &in) {
		err = in.Err
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}
