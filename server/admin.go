package server

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminHandler returns the routes of the admin listener, which has an address of its own and is not for the public.
// Without a token: /healthz (the process answers), /readyz (it can answer devices: 503 until the keyring is read, while the
// store is away, and while it shuts down), /metrics, /v1/keylog and /v1/openapi.json. With one of scope operate: those that
// rotate keys, those of the limits of accounts, and profiles at /debug/pprof.
func (s *Server) AdminHandler() http.Handler {
	e := newEcho(s.Logger, s.Metrics)
	e.Match(readMethods, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.Match(readMethods, "/readyz", s.getReady)
	e.Match(readMethods, "/metrics", echo.WrapHandler(promhttp.HandlerFor(s.Metrics.registry, promhttp.HandlerOpts{})))
	e.Match(readMethods, "/v1/keylog", s.getKeyLog)
	e.Match(readMethods, "/v1/openapi.json", s.getOpenAPI)
	e.Match(readMethods, "/debug/pprof/:profile", s.getProfile, s.require(scopeOperate))
	if s.Operator != nil {
		s.operate(e)
	}
	if s.Quotas != nil {
		s.operateQuotas(e)
	}
	return e
}

// getReady answers GET /readyz.
func (s *Server) getReady(c echo.Context) error {
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return err
	}
	if snapshot.Active() == nil || s.isClosing() {
		return refuse(kindUnavailable, "")
	}
	return c.String(http.StatusOK, "ready\n")
}
