package server

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server/token"
)

// The scopes of the routes.
const (
	scopeDiscover = token.ScopeDiscover
	scopeRegister = token.ScopeRegister
	scopeOperate  = token.ScopeOperate
)

var errPanic = errors.New("server: panic")

// accountKey is where require leaves the account.
const accountKey = "account"

// require lets a request through whose bearer token has the scope.
func (s *Server) require(scope string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			account, err := s.authenticate(c, scope)
			if err != nil {
				return err
			}
			c.Set(accountKey, account)
			return next(c)
		}
	}
}

// authenticate returns the account of a request whose bearer token has the scope. A stream asks again as it goes on, since a token
// is good for a time. It returns the errors of Verify.
func (s *Server) authenticate(c echo.Context, scope string) (account string, err error) {
	given := c.Request().Header.Values(echo.HeaderAuthorization)
	scheme, text, _ := strings.Cut(strings.Join(given, ","), " ")
	if len(given) != 1 || !strings.EqualFold(scheme, "Bearer") {
		return "", token.ErrToken
	}
	return s.Verifier.Verify(strings.TrimSpace(text), scope)
}

// accountOf returns the account of a request that require let through.
func accountOf(c echo.Context) string {
	account, _ := c.Get(accountKey).(string)
	return account
}

// refuseCredential refuses a lookup that carries a credential, before anything of it is read, so that a careless client
// can not tie its lookups to its account.
func refuseCredential(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Request().Header
		// Not by Get, which sees the first of several alone.
		if len(h[echo.HeaderAuthorization]) > 0 || len(h[echo.HeaderCookie]) > 0 {
			return refuse(kindCredential, "")
		}
		return next(c)
	}
}
