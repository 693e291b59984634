package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/quota"
)

// headerIdempotencyKey names a request, so that its retry is not charged again.
const headerIdempotencyKey = "Idempotency-Key"

// evaluations is the answer in JSON; packed, the elements come back to back and the proof last.
type evaluations struct {
	Epoch    uint32   `json:"epoch"`
	Elements []string `json:"elements"`
	Proof    string   `json:"proof"`
}

// Admission is what the server needs of package admission.
type Admission interface {
	// Check returns the error that Admit would return at once for a request of any account.
	Check(elements int) error
	Admit(ctx context.Context, account string, elements int) (release func(), err error)
}

// Evaluator is what the server needs of package evaluator.
type Evaluator interface {
	BlindEvaluate(ctx context.Context, key *voprf.PrivateKey, blinded []byte) (evaluated []byte, proof voprf.Proof, err error)
}

// Ledger is what the server needs of package quota to charge evaluations, and to tell an account how it stands.
type Ledger interface {
	Debit(ctx context.Context, r quota.Request) (quota.Charge, error)
	Refund(ctx context.Context, c quota.Charge) (undone bool, err error)
	Status(ctx context.Context, accountKey secret.Value, account string, epoch, predecessor uint32) (quota.Status, error)
}

// refundTime bounds a refund, which goes on when the request has ended.
const refundTime = 2 * time.Second

// postEvaluations answers POST /v1/epochs/{e}/evaluations: BlindEvaluate of RFC 9497 for a batch of blinded elements.
// The order is: authenticate, check the size, admit, debit, decode, evaluate. So what is refused for lack of time is not
// charged, what was charged has its turn at once, and no arithmetic is done that nobody has paid for. Under overload shed comes
// before all of it.
func (s *Server) postEvaluations(c echo.Context) error {
	epoch, snapshot, err := s.epochOf(c)
	if err != nil {
		return err
	}
	blinded, err := readBatch(c, "elements", voprf.ElementSize, s.Limits.MaxElements, kindElements)
	if err != nil {
		return err
	}
	key := c.Request().Header.Get(headerIdempotencyKey)
	if len(key) > quota.MaxKey {
		return refuse(kindMalformed, "The Idempotency-Key is longer than 128 bytes.")
	}
	evaluated, proof, err := s.evaluate(c, epoch, blinded.packed, quota.Request{
		Account: accountOf(c), Epoch: epoch.ID, Predecessor: epoch.From, Elements: len(blinded.packed) / voprf.ElementSize,
		Key: key, Content: blinded.packed, Secret: snapshot.AccountKey,
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if blinded.json {
		return c.JSON(http.StatusOK, evaluations{epoch.ID, splitText(evaluated, voprf.ElementSize), encoding.EncodeToString(proof[:])})
	}
	return answerPacked(c, append(evaluated, proof[:]...))
}

// shed refuses a request that the queue would let in from no account, before its token is checked and its body read: of an overloaded
// server that is most of what it is asked, and checking a signature takes longer than evaluating ten elements.
func (s *Server) shed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.Admission.Check(min(leastElements(c.Request()), s.Limits.MaxElements)); err != nil {
			return err
		}
		return next(c)
	}
}

// leastElements returns how many elements the body of a request has at least, as far as its headers tell.
func leastElements(r *http.Request) int {
	if strings.HasPrefix(r.Header.Get(echo.HeaderContentType), mimePacked) {
		return max(int(r.ContentLength/voprf.ElementSize), 1)
	}
	return max(int(r.ContentLength-jsonSlack)/jsonValueSize(voprf.ElementSize), 1)
}

// evaluate does what is left once the size is known to be right. The place in the queue is given back when it returns, and
// not when the answer has been written, which a slow client could draw out.
func (s *Server) evaluate(c echo.Context, epoch *keyring.Epoch, blinded []byte, r quota.Request) ([]byte, voprf.Proof, error) {
	ctx := c.Request().Context()
	release, err := s.Admission.Admit(ctx, r.Account, r.Elements)
	if err != nil {
		return nil, voprf.Proof{}, err
	}
	defer release()
	charge, err := s.Ledger.Debit(ctx, r)
	if err != nil {
		s.Metrics.quotaRefused(err)
		if exceeded, ok := errors.AsType[*quota.ExceededError](err); ok {
			setRateLimit(c.Response().Header(), exceeded.State)
		}
		return nil, voprf.Proof{}, err
	}
	evaluated, proof, err := s.blindEvaluate(ctx, epoch, blinded, charge)
	if err != nil {
		return nil, voprf.Proof{}, err
	}
	setRateLimit(c.Response().Header(), charge.State)
	s.Metrics.evaluated(r.Elements, charge.Now)
	s.Usage.Add(epoch.ID, r.Elements)
	return evaluated, proof, nil
}

// blindEvaluate evaluates what was charged, and undoes the charge if it can not for a reason of the server's own, a panic
// included. What a client sent that can not be evaluated stays charged: finding that out is work, too.
func (s *Server) blindEvaluate(ctx context.Context, epoch *keyring.Epoch, blinded []byte, charge quota.Charge) (evaluated []byte, proof voprf.Proof, err error) {
	charged := false
	defer func() {
		if !charged {
			s.refund(ctx, charge)
		}
	}()
	evaluated, proof, err = s.Evaluator.BlindEvaluate(ctx, epoch.Key, blinded)
	charged = err == nil || errors.Is(err, voprf.ErrElement) || errors.Is(err, voprf.ErrLength) || errors.Is(err, voprf.ErrBatch)
	return evaluated, proof, err
}

// refund undoes a charge as well as it can: where the store does not answer the charge stands, for which the retry under the
// same Idempotency-Key is free.
func (s *Server) refund(ctx context.Context, charge quota.Charge) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refundTime)
	defer cancel()
	undone, err := s.Ledger.Refund(ctx, charge)
	if err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelError, "refund", slog.String("cause", err.Error()))
	}
	if undone {
		s.Metrics.refunded(charge.Elements)
	}
}

// splitText returns the values of a packed batch in base64url.
func splitText(packed []byte, size int) []string {
	out := make([]string, 0, len(packed)/size)
	for ; len(packed) > 0; packed = packed[size:] {
		out = append(out, encoding.EncodeToString(packed[:size]))
	}
	return out
}
