package keyring

import (
	"context"
	_ "embed" // swap.lua
	"errors"
	"sort"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/secret"
)

// redisKey names the keyring in the store.
const redisKey = "kith:keyring"

const (
	fieldGeneration = "generation"
	fieldMaster     = "master"
	fieldAccountKey = "account-key"
	prefixEpoch     = "epoch:"
)

const accountKeyPurpose = "account-key"

var (
	// ErrUnavailable means that the store did not answer, so that nothing is known.
	ErrUnavailable = errors.New("keyring: store unavailable")
	// ErrNone means that the store holds no keyring: it is new, or has lost its data.
	ErrNone = errors.New("keyring: the store holds no keyring")
	// ErrChanged means that another server changed the keyring first; read it again.
	ErrChanged = errors.New("keyring: changed by another server")
)

//go:embed swap.lua
var swapSource string

var swapScript = redis.NewScript(swapSource)

// Snapshot is the keyring at one generation. It is read-only.
type Snapshot struct {
	Generation uint64
	Epochs     []*Epoch // by id, ascending
	// AccountKey is the key under which account ids are hashed, 32 bytes.
	AccountKey secret.Value
	// account is AccountKey as sealed in the store.
	account string
}

// head is what shows that the keyring has changed.
type head struct {
	generation uint64
	// account is the sealed account key. No two keyrings have the same, so it tells from this one another keyring of the
	// same generation, made after the store had lost its data.
	account string
}

// head returns the head under which the snapshot was stored.
func (s *Snapshot) head() head { return head{s.Generation, s.account} }

// Active returns the epoch that devices use, or nil while there is none.
func (s *Snapshot) Active() *Epoch {
	for _, e := range s.Epochs {
		if e.State == StateActive {
			return e
		}
	}
	return nil
}

// Epoch returns the epoch of this id, or nil.
func (s *Snapshot) Epoch(id uint32) *Epoch {
	for _, e := range s.Epochs {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// read loads and opens the whole keyring. It returns ErrNone, ErrMasterKey, ErrSealed, ErrRecord, or ErrUnavailable.
func read(ctx context.Context, rdb redis.UniversalClient, master MasterKey) (*Snapshot, error) {
	fields, err := rdb.HGetAll(ctx, redisKey).Result()
	if err != nil {
		return nil, ErrUnavailable
	}
	if len(fields) == 0 {
		return nil, ErrNone
	}
	if fields[fieldMaster] != master.id() {
		return nil, ErrMasterKey
	}
	s := new(Snapshot)
	if s.Generation, err = strconv.ParseUint(fields[fieldGeneration], 10, 53); err != nil {
		return nil, ErrRecord
	}
	s.account = fields[fieldAccountKey]
	if s.AccountKey, err = master.open(accountKeyPurpose, []byte(s.account)); err != nil {
		return nil, err
	}
	for field, value := range fields {
		number, isEpoch := strings.CutPrefix(field, prefixEpoch)
		if !isEpoch {
			continue
		}
		id, err := strconv.ParseUint(number, 10, 32)
		if err != nil || field != epochField(uint32(id)) { // "epoch:01" would be a second epoch 1
			return nil, ErrRecord
		}
		e, err := openEpoch(uint32(id), []byte(value), master)
		if err != nil {
			return nil, err
		}
		s.Epochs = append(s.Epochs, e)
	}
	sort.Slice(s.Epochs, func(i, j int) bool { return s.Epochs[i].ID < s.Epochs[j].ID })
	return s, nil
}

// readHead returns the head alone, or ErrNone, ErrRecord or ErrUnavailable.
func readHead(ctx context.Context, rdb redis.UniversalClient) (head, error) {
	values, err := rdb.HMGet(ctx, redisKey, fieldGeneration, fieldAccountKey).Result()
	if err != nil {
		return head{}, ErrUnavailable
	}
	text, ok := values[0].(string)
	if !ok {
		return head{}, ErrNone
	}
	generation, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return head{}, ErrRecord
	}
	account, _ := values[1].(string)
	return head{generation, account}, nil
}

// swap sets fields (field, value, ...) and the next generation if the present one is expected, 0 for no keyring. It
// returns ErrChanged if it is not, or ErrUnavailable, after which the change may have been made or not.
func swap(ctx context.Context, rdb redis.UniversalClient, expected uint64, fields ...any) error {
	args := append([]any{strconv.FormatUint(expected, 10), strconv.FormatUint(expected+1, 10)}, fields...)
	done, err := swapScript.Run(ctx, rdb, []string{redisKey}, args...).Int()
	if err != nil {
		return ErrUnavailable
	}
	if done != 1 {
		return ErrChanged
	}
	return nil
}
