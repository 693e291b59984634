package quota

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed" // debit.lua
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/secret"
)

const (
	// requestMemory is how long a charged request is remembered under its Idempotency-Key.
	requestMemory = 24 * time.Hour
	// accountMemory is how long an account is remembered after its last evaluation.
	accountMemory = 400 * 24 * time.Hour
	// MaxKey is the longest Idempotency-Key, in bytes.
	MaxKey = 128
)

var (
	// ErrUnavailable means that the store did not answer. The request may have been charged or not; repeated under the
	// same Idempotency-Key it is charged once.
	ErrUnavailable = errors.New("quota: store unavailable")
	// ErrKeyReused means an Idempotency-Key under which the account made another request.
	ErrKeyReused = errors.New("quota: idempotency key belongs to another request")
)

//go:embed debit.lua
var debitSource string

var debitScript = redis.NewScript(debitSource)

// Ledger keeps the accounts in the store.
type Ledger struct{ rdb redis.UniversalClient }

// New returns a ledger on a store.
func New(rdb redis.UniversalClient) *Ledger { return &Ledger{rdb: rdb} }

// Request is an evaluation to be charged.
type Request struct {
	Account  string       // the subject of the token
	Epoch    uint32       // under whose key it is made
	Elements int          // how many elements it asks for
	Key      string       // Idempotency-Key, at most MaxKey bytes, or "" for none
	Content  []byte       // the packed elements, to which the key is bound
	Secret   secret.Value // the keyring's account key
}

// Debit charges the request's elements to its account, in one script. It reports whether they were charged now; false
// means that the same request was charged before. It returns ErrKeyReused or ErrUnavailable, and then the caller must
// not evaluate.
func (l *Ledger) Debit(ctx context.Context, r Request) (charged bool, err error) {
	account := accountPrefix(r.Secret, r.Account)
	accountKey := account + ":account"
	requestKey, content := accountKey, ""
	if r.Key != "" {
		requestKey = account + ":i" + keyed(r.Secret, "request", r.Key)
		content = requestHash(r.Epoch, r.Content)
	}
	outcome, err := debitScript.Run(ctx, l.rdb, []string{accountKey, requestKey}, content, r.Elements, epochField(r.Epoch),
		requestMemory.Milliseconds(), accountMemory.Milliseconds()).Int()
	switch {
	case err != nil:
		return false, ErrUnavailable
	case outcome < 0:
		return false, ErrKeyReused
	default:
		return outcome == 1, nil
	}
}

// Charged returns how many elements the account was charged in an epoch. It returns ErrUnavailable.
func (l *Ledger) Charged(ctx context.Context, accountKey secret.Value, account string, epoch uint32) (int64, error) {
	n, err := l.rdb.HGet(ctx, accountPrefix(accountKey, account)+":account", epochField(epoch)).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, ErrUnavailable
	}
	return n, nil
}

// accountPrefix names an account in the store: all its keys share the slot of the braces.
func accountPrefix(key secret.Value, account string) string {
	return "kith:{a" + keyed(key, "account", account) + "}"
}

// keyed returns the first 16 bytes of HMAC-SHA256(key, purpose || 0 || id) in hex.
func keyed(key secret.Value, purpose, id string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(purpose))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// requestHash is what an Idempotency-Key is bound to: the epoch and the packed elements.
func requestHash(epoch uint32, content []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "evaluations %d\n", epoch)
	h.Write(content)
	return string(h.Sum(nil))
}

func epochField(epoch uint32) string { return "e" + strconv.FormatUint(uint64(epoch), 10) }
