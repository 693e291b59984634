package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/quota"
)

// Quotas is what the admin routes need of package quota.
type Quotas interface {
	Limits() quota.Limits
	Raise(ctx context.Context, accountKey secret.Value, account string, burst, refillPerDay int) error
	Reset(ctx context.Context, accountKey secret.Value, account string) error
	Block(ctx context.Context, accountKey secret.Value, account string) error
	Unblock(ctx context.Context, accountKey secret.Value, account string) error
	Forget(ctx context.Context, accountKey secret.Value, account string) error
}

// maxAccount is the longest id of an account, in bytes, as in tokens.
const maxAccount = 256

// ownQuota is the answer of GET /v1/quota, and a part of what an operator is told of an account.
type ownQuota struct {
	Epoch        uint32 `json:"epoch"`          // the active one, of which the credit is
	Limit        int    `json:"limit"`          // units that the bucket holds
	RefillPerDay int    `json:"refill_per_day"` // units that flow back a day
	Remaining    int    `json:"remaining"`      // units that can be used now, credit included
	Credit       int    `json:"credit"`
	ResetSeconds int    `json:"reset_seconds"` // until the bucket is full, rounded up
	Blocked      bool   `json:"blocked"`
}

// getQuota answers GET /v1/quota: how the account of the token stands.
func (s *Server) getQuota(c echo.Context) error {
	status, epoch, err := s.quotaOf(c.Request().Context(), accountOf(c))
	if err != nil {
		return err
	}
	setRateLimit(c.Response().Header(), status.State)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, newOwnQuota(status, epoch))
}

// quotaOf returns how an account stands in the active epoch.
func (s *Server) quotaOf(ctx context.Context, account string) (quota.Status, *keyring.Epoch, error) {
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return quota.Status{}, nil, err
	}
	active := snapshot.Active()
	if active == nil {
		return quota.Status{}, nil, keyring.ErrNoActive
	}
	status, err := s.Ledger.Status(ctx, snapshot.AccountKey, account, active.ID, active.From)
	return status, active, err
}

func newOwnQuota(s quota.Status, epoch *keyring.Epoch) ownQuota {
	return ownQuota{
		Epoch: epoch.ID, Limit: s.Limit, RefillPerDay: s.RefillPerDay, Remaining: s.Remaining, Credit: s.Credit,
		ResetSeconds: seconds(s.Reset), Blocked: !s.Blocked.IsZero(),
	}
}

// accountQuota is what an operator is told of an account.
type accountQuota struct {
	ownQuota
	Used         int        `json:"used"`    // units of the bucket in use, rounded up
	Charged      int64      `json:"charged"` // elements charged in the epoch
	Young        bool       `json:"young"`
	FirstSeen    *time.Time `json:"first_seen,omitempty"`
	BlockedSince *time.Time `json:"blocked_since,omitempty"`
}

// operateQuotas adds the routes for the limits of accounts, all of which want a token of scope operate. An account is named
// in the body: it may be personal, and paths are kept by proxies.
func (s *Server) operateQuotas(e *echo.Echo) {
	operate := s.require(scopeOperate)
	v1 := e.Group("/v1")
	v1.Match(readMethods, "/limits", s.getLimits, operate)
	v1.POST("/quotas/read", s.onAccount("quota-read", func(context.Context, secret.Value, string) error { return nil }), operate)
	v1.POST("/quotas/raise", s.postRaise, operate)
	v1.POST("/quotas/reset", s.onAccount("quota-reset", s.Quotas.Reset), operate)
	v1.POST("/quotas/block", s.onAccount("quota-block", s.Quotas.Block), operate)
	v1.POST("/quotas/unblock", s.onAccount("quota-unblock", s.Quotas.Unblock), operate)
	v1.POST("/quotas/forget", s.onAccount("quota-forget", s.Quotas.Forget), operate)
}

// limitsInForce is the answer of GET /v1/limits.
type limitsInForce struct {
	Burst           int   `json:"burst"`
	RefillPerDay    int   `json:"refill_per_day"`
	YoungAgeSeconds int64 `json:"young_age_seconds"`
	YoungPerDay     int   `json:"young_per_day"` // 0: there is no such budget
}

// getLimits answers GET /v1/limits of the admin listener: the limits of accounts that have none of their own.
func (s *Server) getLimits(c echo.Context) error {
	l := s.Quotas.Limits()
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, limitsInForce{l.Burst, l.RefillPerDay, int64(l.YoungAge / time.Second), l.YoungPerDay})
}

// accountBody is the body of the routes that name an account and nothing else.
type accountBody struct {
	Account member[string] `json:"account"`
}

// onAccount returns the handler of a route that does one thing to the account in its body, and tells how that stands then.
func (s *Server) onAccount(action string, step func(context.Context, secret.Value, string) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		var body accountBody
		if err := readObject(c, maxOperation, &body); err != nil {
			return err
		}
		return s.changeQuota(c, action, body.Account.value, step)
	}
}

// raiseBody is the body of POST /v1/quotas/raise. A limit that is left out, or 0, is that of all.
type raiseBody struct {
	Account      member[string] `json:"account"`
	Burst        member[int]    `json:"burst"`
	RefillPerDay member[int]    `json:"refill_per_day"`
}

// postRaise answers POST /v1/quotas/raise: gives an account limits of its own.
func (s *Server) postRaise(c echo.Context) error {
	var body raiseBody
	if err := readObject(c, maxOperation, &body); err != nil {
		return err
	}
	burst, refill := body.Burst.value, body.RefillPerDay.value
	return s.changeQuota(c, "quota-raise", body.Account.value, func(ctx context.Context, key secret.Value, account string) error {
		return s.Quotas.Raise(ctx, key, account, burst, refill)
	}, slog.Int("burst", burst), slog.Int("refill_per_day", refill))
}

// changeQuota takes a step with an account, logs it, and answers with how the account stands then.
func (s *Server) changeQuota(c echo.Context, action, account string, step func(context.Context, secret.Value, string) error, more ...slog.Attr) error {
	if account == "" || len(account) > maxAccount || !utf8.ValidString(account) {
		return refuse(kindMalformed, "The account is the subject of a token, up to 256 bytes.")
	}
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	err = step(ctx, snapshot.AccountKey, account)
	s.audit(c, action, err, append(more, slog.String("account", s.hashAccount(account)))...)
	if err != nil {
		return err
	}
	status, epoch, err := s.quotaOf(ctx, account)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, accountQuota{
		ownQuota: newOwnQuota(status, epoch), Used: status.Level, Charged: status.Charged, Young: status.Young,
		FirstSeen: given(status.FirstSeen), BlockedSince: given(status.Blocked),
	})
}

// given returns a moment, or nil for none.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
