package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
)

// registrationsRoute is the route of the account service; those below it are too.
const registrationsRoute = "/v1/registrations"

// DeviceHandler returns the public routes but for those of the account service, for a server where these have a listener of
// their own. They answer as a route that there is not.
func (s *Server) DeviceHandler() http.Handler { return s.only(false) }

// AccountServiceHandler returns the routes of the account service, for a listener of their own, such as one that asks for
// client certificates or is on a private network. All others answer as routes that there are not.
func (s *Server) AccountServiceHandler() http.Handler { return s.only(true) }

// only lets through what is routed to the account service, or what is not. It asks the router, since whatever else reads a
// path could read it otherwise.
func (s *Server) only(accountService bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.echo.NewContext(r, w)
		s.echo.Router().Find(r.Method, echo.GetPath(r), c)
		if (c.Path() == registrationsRoute || strings.HasPrefix(c.Path(), registrationsRoute+"/")) != accountService {
			r = withPath(r, "/") // which is no route
		}
		s.echo.ServeHTTP(w, r)
	})
}

// withPath returns a request for another path.
func withPath(r *http.Request, path string) *http.Request {
	other := *r
	other.URL = &url.URL{Path: path}
	return &other
}
