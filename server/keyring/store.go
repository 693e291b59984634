package keyring

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed" // swap.lua
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
)

const (
	// redisKey names the keyring in the store.
	redisKey = "kith:keyring"
	// channel is where changes of the keyring are announced.
	channel = "kith:keyring"
)

const (
	fieldGeneration = "generation"
	fieldMaster     = "master"
	fieldAccountKey = "account-key"
	fieldNextEpoch  = "next-epoch"
	fieldChange     = "change"
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
	// Log is the key log as it is shown to everyone.
	Log keylog.Message

	fields  map[string]string // all of it as stored
	account string            // AccountKey as sealed in the store
	next    uint32            // the lowest id that a new epoch may have, if the keyring was restored
	master  MasterKey         // what it is sealed under
	signer  *keylog.Signer    // of Log; nil for a keyring that was made before there was a log
}

// Format prints a placeholder for every verb: fmt does not ask the keys in fields that are not exported.
func (s Snapshot) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[keyring snapshot]") }

// VerifierKey returns the key by which devices check the log, in the text form of signed notes, or "".
func (s *Snapshot) VerifierKey() string {
	if s.signer == nil {
		return ""
	}
	return s.signer.VerifierKey()
}

// head is what shows that the keyring has changed.
type head struct {
	generation uint64
	// account is the sealed account key. No two keyrings have the same, so it tells from this one another keyring of the
	// same generation, made after the store had lost its data.
	account string
	// change is random for each change, so that it tells two of the same generation apart: a failover has lost the one, and
	// a server that had not heard of it made the other. It is empty in a keyring of before there was this field.
	change string
}

// head returns the head under which the snapshot was stored.
func (s *Snapshot) head() head { return head{s.Generation, s.account, s.fields[fieldChange]} }

// Active returns the epoch that devices use, or nil while there is none.
func (s *Snapshot) Active() *Epoch { return s.in(StateActive) }

// Staged returns the epoch that is to become active next, or nil. There is one at most.
func (s *Snapshot) Staged() *Epoch { return s.in(StateStaged) }

func (s *Snapshot) in(state State) *Epoch {
	for _, e := range s.Epochs {
		if e.State == state {
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

// read loads and opens the whole keyring, which is sealed under one of the master keys. It returns ErrNone, ErrMasterKey,
// ErrSealed, ErrRecord, or ErrUnavailable.
func read(ctx context.Context, rdb redis.UniversalClient, masters []MasterKey) (*Snapshot, error) {
	fields, err := readFields(ctx, rdb)
	if err != nil {
		return nil, err
	}
	return open(fields, masters)
}

// readFields returns the keyring as it is stored, or ErrNone or ErrUnavailable.
func readFields(ctx context.Context, rdb redis.UniversalClient) (map[string]string, error) {
	fields, err := rdb.HGetAll(ctx, redisKey).Result()
	if err != nil {
		return nil, ErrUnavailable
	}
	if len(fields) == 0 {
		return nil, ErrNone
	}
	return fields, nil
}

// open opens the fields of a keyring.
func open(fields map[string]string, masters []MasterKey) (*Snapshot, error) {
	s := &Snapshot{fields: fields}
	var err error
	if s.master, err = choose(masters, fields[fieldMaster]); err != nil {
		return nil, err
	}
	if s.Generation, err = strconv.ParseUint(fields[fieldGeneration], 10, 53); err != nil {
		return nil, ErrRecord
	}
	s.account = fields[fieldAccountKey]
	if s.AccountKey, err = s.master.open(accountKeyPurpose, []byte(s.account)); err != nil {
		return nil, err
	}
	if s.Epochs, err = openEpochs(fields, s.master); err != nil {
		return nil, err
	}
	if next := fields[fieldNextEpoch]; next != "" {
		id, err := strconv.ParseUint(next, 10, 32)
		if err != nil {
			return nil, ErrRecord
		}
		s.next = uint32(id)
	}
	if err := s.openLog(fields); err != nil {
		return nil, err
	}
	return s, nil
}

// nextID returns the id of the epoch to be made next, which no epoch has had.
func (s *Snapshot) nextID() uint32 {
	last := uint32(0)
	for _, e := range s.Epochs {
		last = max(last, e.ID)
	}
	return max(last+1, s.next)
}

// openEpochs opens the epochs among the fields of a keyring, by id.
func openEpochs(fields map[string]string, master MasterKey) ([]*Epoch, error) {
	var epochs []*Epoch
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
		epochs = append(epochs, e)
	}
	slices.SortFunc(epochs, func(a, b *Epoch) int { return cmp.Compare(a.ID, b.ID) })
	return epochs, nil
}

func epochField(id uint32) string { return prefixEpoch + strconv.FormatUint(uint64(id), 10) }

// readHead returns the head alone, or ErrNone, ErrRecord or ErrUnavailable.
func readHead(ctx context.Context, rdb redis.UniversalClient) (head, error) {
	values, err := rdb.HMGet(ctx, redisKey, fieldGeneration, fieldAccountKey, fieldChange).Result()
	if err != nil || len(values) != 3 {
		return head{}, ErrUnavailable
	}
	return parseHead(values)
}

// parseHead decodes the stored values of the head, nil for what is not there. It returns ErrNone or ErrRecord.
func parseHead(values []any) (head, error) {
	text, ok := values[0].(string)
	if !ok {
		return head{}, ErrNone
	}
	generation, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return head{}, ErrRecord
	}
	account, _ := values[1].(string)
	change, _ := values[2].(string)
	return head{generation, account, change}, nil
}

// swap sets fields (field, value, ...) and the next generation if the present one is expected, 0 for no keyring. It
// returns ErrChanged if it is not, or ErrUnavailable, after which the change may have been made or not.
func swap(ctx context.Context, rdb redis.UniversalClient, expected uint64, fields ...any) error {
	fields = append(fields[:len(fields):len(fields)], fieldChange, rand.Text())
	return runSwap(ctx, rdb, expected, expected+1, "0", fields)
}

// replace is swap with the generation to set, and leaves nothing of what was stored but the fields given.
func replace(ctx context.Context, rdb redis.UniversalClient, expected, next uint64, fields ...any) error {
	return runSwap(ctx, rdb, expected, next, "1", fields)
}

func runSwap(ctx context.Context, rdb redis.UniversalClient, expected, next uint64, alone string, fields []any) error {
	args := append([]any{strconv.FormatUint(expected, 10), strconv.FormatUint(next, 10), alone}, fields...)
	done, err := swapScript.Run(ctx, rdb, []string{redisKey}, args...).Int()
	if err != nil {
		return ErrUnavailable
	}
	if done != 1 {
		return ErrChanged
	}
	return nil
}
