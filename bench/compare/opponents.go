package compare

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/crypto/ristretto"
)

// Names of opponents.
const (
	Circl        = "circl"
	Edwards25519 = "edwards25519"
	Hashed       = "hashed"
)

// ErrOpponent means a name that no opponent has.
var ErrOpponent = errors.New("compare: no such opponent")

const (
	// elementSize is the length of an element and of a hash.
	elementSize = 32
	// maxBody bounds what an opponent reads, in bytes.
	maxBody = 1 << 20
	// PathContacts is where opponents take contacts, packed, and PathCPU where they say what they have used, in ns.
	PathContacts = "/contacts"
	PathCPU      = "/cpu"
)

var errElement = errors.New("compare: element")

// Opponent returns the server of that name. Redis is for Hashed alone. It returns ErrOpponent.
func Opponent(name string, rdb redis.UniversalClient) (http.Handler, error) {
	answer, err := opponent(name, rdb)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST(PathContacts, func(c echo.Context) error {
		body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
		if err != nil || len(body) == 0 || len(body)%elementSize != 0 {
			return echo.NewHTTPError(http.StatusBadRequest)
		}
		answered, err := answer(c.Request().Context(), body)
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest)
		}
		return c.Blob(http.StatusOK, echo.MIMEOctetStream, answered)
	})
	e.GET(PathCPU, func(c echo.Context) error {
		return c.String(http.StatusOK, strconv.FormatInt(int64(meter.Own()), 10))
	})
	return e, nil
}

// opponent returns what answers the contacts of one request.
func opponent(name string, rdb redis.UniversalClient) (func(ctx context.Context, body []byte) ([]byte, error), error) {
	switch name {
	case Circl:
		return newCircl()
	case Edwards25519:
		return newEdwards25519()
	case Hashed:
		return hashed{rdb}.lookup, nil
	default:
		return nil, fmt.Errorf("%w: %s", ErrOpponent, name)
	}
}

// newCircl answers blinded elements as circl's VOPRF server does: evaluated elements and a proof.
func newCircl() (func(context.Context, []byte) ([]byte, error), error) {
	key, err := oprf.GenerateKey(oprf.SuiteRistretto255, rand.Reader)
	if err != nil {
		return nil, err
	}
	server := oprf.NewVerifiableServer(oprf.SuiteRistretto255, key)
	return func(_ context.Context, body []byte) ([]byte, error) {
		request := &oprf.EvaluationRequest{Elements: make([]oprf.Blinded, len(body)/elementSize)}
		for i := range request.Elements {
			request.Elements[i] = group.Ristretto255.NewElement()
			if err := request.Elements[i].UnmarshalBinary(body[i*elementSize : (i+1)*elementSize]); err != nil {
				return nil, errElement
			}
		}
		evaluation, err := server.Evaluate(request)
		if err != nil {
			return nil, err
		}
		answer := make([]byte, 0, len(body)+2*elementSize)
		for _, element := range evaluation.Elements {
			encoded, err := element.MarshalBinaryCompress()
			if err != nil {
				return nil, err
			}
			answer = append(answer, encoded...)
		}
		proof, err := evaluation.Proof.MarshalBinary()
		return append(answer, proof...), err
	}, nil
}

// newEdwards25519 answers blinded elements one by one on filippo.io/edwards25519, for which crypto/ristretto has the codec of
// ristretto255. It makes no proof, for which its users have no code at hand.
func newEdwards25519() (func(context.Context, []byte) ([]byte, error), error) {
	var seed [ristretto.UniformSize]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	key := new(ristretto.Scalar).SetUniformBytes(&seed)
	return func(_ context.Context, body []byte) ([]byte, error) {
		answer := make([]byte, 0, len(body))
		var element ristretto.Element
		for ; len(body) > 0; body = body[elementSize:] {
			if element.Decode(body[:elementSize]) != nil {
				return nil, errElement
			}
			encoded := element.Multiply(key, &element).Bytes()
			answer = append(answer, encoded[:]...)
		}
		return answer, nil
	}, nil
}

// hashed looks hashes of numbers up.
type hashed struct{ redis.UniversalClient }

// keyOf is under which a hash is stored.
func keyOf(hash []byte) string { return "hashed:" + string(hash) }

// lookup answers with a byte for each hash: 1 if it is registered.
func (h hashed) lookup(ctx context.Context, body []byte) ([]byte, error) {
	keys := make([]string, 0, len(body)/elementSize)
	for ; len(body) > 0; body = body[elementSize:] {
		keys = append(keys, keyOf(body[:elementSize]))
	}
	values, err := h.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	answer := make([]byte, len(values))
	for i := range values {
		if values[i] != nil {
			answer[i] = 1
		}
	}
	return answer, nil
}

// Hash is what a device that has its contacts looked up by hash sends of a number: SHA-256, 32 bytes.
func Hash(number string) [elementSize]byte { return sha256.Sum256([]byte(number)) }

// Register stores the hashes of numbers for the opponent Hashed.
func Register(ctx context.Context, rdb redis.UniversalClient, numbers []string) error {
	const atOnce = 1000
	for len(numbers) > 0 {
		n := min(atOnce, len(numbers))
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, number := range numbers[:n] {
				hash := Hash(number)
				p.Set(ctx, keyOf(hash[:]), "1", 0)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("compare: registering: %w", err)
		}
		numbers = numbers[n:]
	}
	return nil
}
