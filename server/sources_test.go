package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
)

func TestSourcesAreLimitedEach(t *testing.T) {
	s := newSources(2)
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	release := make(chan struct{})
	entered := make(chan struct{})
	handler := s.limitSource(func(echo.Context) error {
		entered <- struct{}{}
		<-release
		return nil
	})
	call := func(address string) error {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr = address
		return handler(e.NewContext(r, httptest.NewRecorder()))
	}
	refused := func(address string) bool {
		r, ok := errors.AsType[*refusal](call(address))
		return ok && r.kind == kindOverloaded
	}
	done := make(chan error)
	for _, address := range []string{"192.0.2.1:1000", "192.0.2.1:2000", "[2001:db8::1]:1", "[2001:db8::2]:1"} {
		go func() { done <- call(address) }()
		<-entered
	}
	if !refused("192.0.2.1:3000") {
		t.Error("a third lookup of one address is let in")
	}
	if !refused("[2001:db8::ffff]:1") {
		t.Error("a third lookup of one IPv6 network is let in")
	}
	go func() { done <- call("192.0.2.2:1") }()
	<-entered // another address
	close(release)
	for range 5 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(s.under) != 0 {
		t.Errorf("%d sources are remembered after their last lookup", len(s.under))
	}
}
