package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server/keyring"
)

// Operator is what the admin routes need of whoever rotates keys. See package keyring for the steps and their errors.
type Operator interface {
	// Status returns how the epochs stand; it is encoded as JSON.
	Status(ctx context.Context) (any, error)
	// Rotate begins a rotation, or joins the one under way, whatever its options are, and returns its new epoch.
	Rotate(ctx context.Context, o Rotation) (epoch uint32, joined bool, err error)
	// Activate makes a verified epoch active. A loss of 0 or more is how many records that can not be read may be left
	// behind; below 0 what was accepted before stands.
	Activate(ctx context.Context, epoch uint32, loss int) error
	Abort(ctx context.Context, epoch uint32) error
	Retire(ctx context.Context, epoch uint32) error
	// Cosign adds a witness's signature line to the checkpoint of the key log.
	Cosign(ctx context.Context, w *keylog.Witness, line string) error
}

// Rotation says how a rotation is to go.
type Rotation struct {
	Auto          bool          // activate and retire without being asked
	Window        time.Duration // how long devices have to move
	Drain         time.Duration // how long the old epoch is served, Window or more
	ExpectedUsers int           // how many users to lay the new epoch out for; 0 for those that there are
}

const (
	// maxOperation bounds the body of an operator's request, bytes.
	maxOperation = 4 << 10
	// maxPeriod bounds window and drain.
	maxPeriod = 366 * 24 * time.Hour
	// maxUsers bounds for how many users an epoch is laid out, and records that are given up.
	maxUsers = PlausibleNumbers
)

// operate adds the routes of an operator, all of which want a token of scope operate.
func (s *Server) operate(e *echo.Echo) {
	// Not as middleware of a group, which would make every other path and method under it a route.
	operate := s.require(scopeOperate)
	v1 := e.Group("/v1")
	v1.Match(readMethods, "/epochs", s.getEpochs, operate)
	v1.POST("/epochs", s.postEpochs, operate)
	v1.POST("/epochs/:epoch/activate", s.postActivate, operate)
	v1.POST("/epochs/:epoch/abort", s.postAbort, operate)
	v1.POST("/epochs/:epoch/retire", s.postRetire, operate)
	v1.POST("/keylog/cosignatures", s.postCosignature, operate)
}

// getEpochs answers GET /v1/epochs of the admin listener.
func (s *Server) getEpochs(c echo.Context) error {
	status, err := s.Operator.Status(c.Request().Context())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, status)
}

// postEpochsBody is the body of POST /v1/epochs, which may be left out.
type postEpochsBody struct {
	Auto          member[bool]  `json:"auto"`           // default true
	WindowSeconds member[int64] `json:"window_seconds"` // default a day
	DrainSeconds  member[int64] `json:"drain_seconds"`  // default three days
	ExpectedUsers member[int64] `json:"expected_users"` // default 0
}

// rotation returns the options of a body, or a refusal.
func (b *postEpochsBody) rotation() (Rotation, error) {
	r := Rotation{Auto: true, Window: keyring.DefaultWindow, Drain: keyring.DefaultDrain}
	if b.Auto.given {
		r.Auto = b.Auto.value
	}
	for _, period := range []struct {
		given member[int64]
		to    *time.Duration
	}{{b.WindowSeconds, &r.Window}, {b.DrainSeconds, &r.Drain}} {
		if !period.given.given {
			continue
		}
		if period.given.value < 0 || period.given.value > int64(maxPeriod/time.Second) {
			return r, refuse(kindRotation, "A period is between 0 and 366 days.")
		}
		*period.to = time.Duration(period.given.value) * time.Second
	}
	if r.Window > r.Drain {
		return r, refuse(kindRotation, "The window is longer than the drain: the old epoch has to answer until all devices have moved.")
	}
	if b.ExpectedUsers.value < 0 || b.ExpectedUsers.value > maxUsers {
		return r, refuse(kindRotation, "The expected users are between 0 and 10^10.")
	}
	r.ExpectedUsers = int(b.ExpectedUsers.value)
	return r, nil
}

// staged is the answer of POST /v1/epochs.
type staged struct {
	ID     uint32 `json:"id"`
	Joined bool   `json:"joined"` // a rotation was under way already, and goes on as it was begun
}

// postEpochs answers POST /v1/epochs: begins a rotation, or joins the one under way.
func (s *Server) postEpochs(c echo.Context) error {
	var body postEpochsBody
	if err := readOptional(c, maxOperation, &body); err != nil {
		return err
	}
	r, err := body.rotation()
	if err != nil {
		return err
	}
	id, joined, err := s.Operator.Rotate(c.Request().Context(), r)
	s.audit(c, "rotate", err, slog.Uint64("epoch", uint64(id)), slog.Bool("joined", joined), slog.Bool("auto", r.Auto),
		slog.Duration("window", r.Window), slog.Duration("drain", r.Drain), slog.Int("expected_users", r.ExpectedUsers))
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if joined {
		status = http.StatusOK
	}
	return c.JSON(status, staged{id, joined})
}

// postActivateBody is the body of POST /v1/epochs/{id}/activate, which may be left out.
type postActivateBody struct {
	AcceptLoss member[int64] `json:"accept_loss"`
}

// postActivate answers POST /v1/epochs/{id}/activate.
func (s *Server) postActivate(c echo.Context) error {
	var body postActivateBody
	if err := readOptional(c, maxOperation, &body); err != nil {
		return err
	}
	if body.AcceptLoss.value < 0 || body.AcceptLoss.value > maxUsers {
		return refuse(kindMalformed, "The loss that is accepted is a number of records, up to 10^10.")
	}
	loss := -1
	if body.AcceptLoss.given {
		loss = int(body.AcceptLoss.value)
	}
	return s.onEpoch(c, "activate", func(ctx context.Context, id uint32) error {
		return s.Operator.Activate(ctx, id, loss)
	}, slog.Int("accept_loss", loss))
}

// postAbort answers POST /v1/epochs/{id}/abort.
func (s *Server) postAbort(c echo.Context) error { return s.onEpoch(c, "abort", s.Operator.Abort) }

// postRetire answers POST /v1/epochs/{id}/retire.
func (s *Server) postRetire(c echo.Context) error { return s.onEpoch(c, "retire", s.Operator.Retire) }

// onEpoch does one step with the epoch that the path names, and answers.
func (s *Server) onEpoch(c echo.Context, action string, step func(context.Context, uint32) error, more ...slog.Attr) error {
	id, err := strconv.ParseUint(c.Param("epoch"), 10, 32)
	if err != nil {
		return keyring.ErrUnknownEpoch
	}
	err = step(c.Request().Context(), uint32(id))
	s.audit(c, action, err, append([]slog.Attr{slog.Uint64("epoch", id)}, more...)...)
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// postCosignatureBody is the body of POST /v1/keylog/cosignatures.
type postCosignatureBody struct {
	WitnessKey member[string] `json:"witness_key"`
	Signature  member[string] `json:"signature"`
}

// postCosignature answers POST /v1/keylog/cosignatures.
func (s *Server) postCosignature(c echo.Context) error {
	var body postCosignatureBody
	if err := readObject(c, maxOperation, &body); err != nil {
		return err
	}
	witness, err := keylog.ParseWitnessKey(body.WitnessKey.value)
	if err != nil {
		return err
	}
	err = s.Operator.Cosign(c.Request().Context(), witness, body.Signature.value)
	// The name of a witness is public: it stands in the checkpoint.
	s.audit(c, "cosign", err, slog.String("witness", witness.Name()))
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// audit logs an action of an operator: who, what, and how it ended. Who is the account of the token, hashed.
func (s *Server) audit(c echo.Context, action string, err error, more ...slog.Attr) {
	outcome := "done"
	if err != nil {
		outcome = asRefusal(err).code
	}
	attrs := []slog.Attr{
		slog.String("id", c.Response().Header().Get(headerID)), slog.String("action", action),
		slog.String("outcome", outcome), slog.String("operator", s.hashAccount(accountOf(c))),
	}
	s.Logger.LogAttrs(c.Request().Context(), slog.LevelInfo, "operator", append(attrs, more...)...)
}

// hashAccount returns what the log may say of an account: the same 16 letters and digits for the same account, in all
// servers of a deployment. Who has the keyring can test accounts against it, as with the names of accounts in the store.
func (s *Server) hashAccount(account string) string {
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return "unknown"
	}
	mac := hmac.New(sha256.New, snapshot.AccountKey[:])
	mac.Write([]byte("operator\x00" + account))
	return base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10])
}
