package keyring_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/keyring"
)

const redisKey = "kith:keyring"

// field returns a field of the stored keyring.
func field(t testing.TB, rdb *redis.Client, name string) []byte {
	t.Helper()
	b, err := rdb.HGet(context.Background(), redisKey, name).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func set(t testing.TB, rdb *redis.Client, name string, value any) {
	t.Helper()
	if err := rdb.HSet(context.Background(), redisKey, name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// edit changes the stored record of epoch 1 and returns it.
func edit(t testing.TB, rdb *redis.Client, change func(record map[string]any)) []byte {
	t.Helper()
	var record map[string]any
	if err := json.Unmarshal(field(t, rdb, "epoch:1"), &record); err != nil {
		t.Fatal(err)
	}
	change(record)
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	set(t, rdb, "epoch:1", b)
	return b
}

// flip changes one bit of a member in base64.
func flip(member string) func(map[string]any) {
	return func(record map[string]any) {
		b, _ := base64.StdEncoding.DecodeString(record[member].(string))
		b[len(b)/2] ^= 1
		record[member] = base64.StdEncoding.EncodeToString(b)
	}
}

// TestAlteredStore alters one thing each in a store that was in order.
func TestAlteredStore(t *testing.T) {
	rdb, master := start(t), newMaster(t)
	create(t, rdb, master)
	whole := rdb.HGetAll(context.Background(), redisKey).Val()
	tests := []struct {
		name  string
		alter func(t *testing.T)
		want  error
	}{
		{"nothing", func(*testing.T) {}, nil},
		{"private key altered", func(t *testing.T) { edit(t, rdb, flip("private_key")) }, keyring.ErrSealed},
		{"storage key altered", func(t *testing.T) { edit(t, rdb, flip("storage_key")) }, keyring.ErrSealed},
		{"private key missing", func(t *testing.T) { edit(t, rdb, func(r map[string]any) { delete(r, "private_key") }) }, keyring.ErrSealed},
		{"private key too long", func(t *testing.T) {
			edit(t, rdb, func(r map[string]any) { r["private_key"] = "AAAA" + r["private_key"].(string) })
		}, keyring.ErrSealed},
		{"keys exchanged", func(t *testing.T) {
			edit(t, rdb, func(r map[string]any) { r["private_key"], r["storage_key"] = r["storage_key"], r["private_key"] })
		}, keyring.ErrSealed},
		{"account key as storage key", func(t *testing.T) {
			edit(t, rdb, func(r map[string]any) { r["storage_key"] = field(t, rdb, "account-key") })
		}, keyring.ErrSealed},
		{"public key of another", func(t *testing.T) {
			other, err := voprf.GenerateKeyPair(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			edit(t, rdb, func(r map[string]any) { r["public_key"] = other.PublicKey().Bytes() })
		}, keyring.ErrRecord},
		{"moved to another epoch", func(t *testing.T) { set(t, rdb, "epoch:2", field(t, rdb, "epoch:1")) }, keyring.ErrRecord},
		{"moved to another epoch and renamed", func(t *testing.T) {
			b := edit(t, rdb, func(r map[string]any) { r["id"] = 2 })
			set(t, rdb, "epoch:2", b)
			set(t, rdb, "epoch:1", whole["epoch:1"])
		}, keyring.ErrSealed},
		{"second epoch 1", func(t *testing.T) { set(t, rdb, "epoch:01", field(t, rdb, "epoch:1")) }, keyring.ErrRecord},
		{"epoch without a number", func(t *testing.T) { set(t, rdb, "epoch:x", field(t, rdb, "epoch:1")) }, keyring.ErrRecord},
		{"epoch 2^32", func(t *testing.T) { set(t, rdb, "epoch:4294967296", field(t, rdb, "epoch:1")) }, keyring.ErrRecord},
		{"not JSON", func(t *testing.T) { set(t, rdb, "epoch:1", "{") }, keyring.ErrRecord},
		{"later format", func(t *testing.T) { edit(t, rdb, func(r map[string]any) { r["format"] = 2 }) }, keyring.ErrRecord},
		{"another suite", func(t *testing.T) { edit(t, rdb, func(r map[string]any) { r["suite"] = "P256-SHA256" }) }, keyring.ErrRecord},
		{"unknown state", func(t *testing.T) { edit(t, rdb, func(r map[string]any) { r["state"] = "resting" }) }, keyring.ErrRecord},
		{"layout", func(t *testing.T) { edit(t, rdb, func(r map[string]any) { r["partition_bits"] = 9 }) }, keyring.ErrRecord},
		{"account key altered", func(t *testing.T) {
			b := field(t, rdb, "account-key")
			b[20] ^= 1
			set(t, rdb, "account-key", b)
		}, keyring.ErrSealed},
		{"account key missing", func(t *testing.T) { rdb.HDel(context.Background(), redisKey, "account-key") }, keyring.ErrSealed},
		{"generation not a number", func(t *testing.T) { set(t, rdb, "generation", "two") }, keyring.ErrRecord},
		{"generation missing", func(t *testing.T) { rdb.HDel(context.Background(), redisKey, "generation") }, keyring.ErrRecord},
		{"generation 2^53", func(t *testing.T) { set(t, rdb, "generation", "9007199254740992") }, keyring.ErrRecord},
		{"master altered", func(t *testing.T) { set(t, rdb, "master", "0011223344556677") }, keyring.ErrMasterKey},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rdb.Del(context.Background(), redisKey)
			for name, value := range whole {
				set(t, rdb, name, value)
			}
			test.alter(t)
			k, err := keyring.Open(context.Background(), rdb, master)
			if err != test.want || (k == nil) != (err != nil) {
				t.Errorf("Open: got %v, want %v", err, test.want)
			}
		})
	}
	t.Run("another master key", func(t *testing.T) {
		other := newMaster(t)
		if _, err := keyring.Open(context.Background(), rdb, other); err != keyring.ErrMasterKey {
			t.Errorf("Open: got %v, want ErrMasterKey", err)
		}
		if err := keyring.Create(context.Background(), rdb, with(other), prepareFunc(nil)); err != keyring.ErrMasterKey {
			t.Errorf("Create: got %v, want ErrMasterKey", err)
		}
	})
}

// TestStoreHoldsNoKeys looks for every key in everything that Redis holds.
func TestStoreHoldsNoKeys(t *testing.T) {
	rdb, master := start(t), newMaster(t)
	create(t, rdb, master)
	s := current(t, rdb, master)
	stored := fmt.Sprint(rdb.HGetAll(context.Background(), redisKey).Val())
	var record struct {
		PrivateKey []byte `json:"private_key"`
		StorageKey []byte `json:"storage_key"`
	}
	if err := json.Unmarshal(field(t, rdb, "epoch:1"), &record); err != nil {
		t.Fatal(err)
	}
	stored += string(record.PrivateKey) + string(record.StorageKey)
	for name, key := range map[string][]byte{
		"private key": s.Epochs[0].Key.Bytes(), "storage key": s.Epochs[0].Storage.Bytes(),
		"account key": s.AccountKey.Bytes(), "master key": master.Bytes(),
	} {
		for _, text := range []string{
			string(key), string(key[:8]), hex.EncodeToString(key[:8]), strings.ToUpper(hex.EncodeToString(key[:8])),
			base64.RawStdEncoding.EncodeToString(key[:9]), base64.RawURLEncoding.EncodeToString(key[:9]),
		} {
			if strings.Contains(stored, text) {
				t.Errorf("the store holds the %s", name)
			}
		}
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	rdb, master := start(t), newMaster(t)
	create(t, rdb, master)
	k, err := keyring.Open(context.Background(), rdb, master)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Current()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	text, object := slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{master, k, s, *s, s.Epochs[0], *s.Epochs[0], s.Epochs[0].Key, s.Epochs[0].Storage, s.AccountKey} {
		fmt.Fprintf(&out, "%v %+v %#v %x %d\n", v, v, v, v, v)
		text.Info("x", "v", v)
		object.Info("x", "v", v)
	}
	for name, key := range map[string][]byte{
		"private key": s.Epochs[0].Key.Bytes(), "storage key": s.Epochs[0].Storage.Bytes(),
		"account key": s.AccountKey.Bytes(), "master key": master.Bytes(),
	} {
		for _, shown := range []string{
			string(key[:8]), hex.EncodeToString(key[:4]), base64.RawStdEncoding.EncodeToString(key[:9]),
			strings.Trim(fmt.Sprint(key[:4]), "[]"), fmt.Sprintf("%#x, %#x, %#x", key[0], key[1], key[2]),
		} {
			if strings.Contains(out.String(), shown) {
				t.Errorf("printing shows the %s", name)
			}
		}
	}
}

func TestParseMasterKey(t *testing.T) {
	master := newMaster(t)
	text := master.Text()
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"as written", text, true},
		{"upper case", strings.ToUpper(text), true},
		{"line break after", text + "\r\n", true},
		{"space around", " \t" + text + " ", true},
		{"empty", "", false},
		{"a digit short", text[1:], false},
		{"two digits short", text[2:], false},
		{"two digits long", text + "00", false},
		{"not hexadecimal", "g" + text[1:], false},
		{"space inside", text[:32] + " " + text[32:], false},
		{"prefix", "0x" + text, false},
		{"base64", base64.StdEncoding.EncodeToString(master.Bytes()), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := keyring.ParseMasterKey(test.text)
			if !test.ok {
				if err != keyring.ErrMasterKeyFormat || got != (keyring.MasterKey{}) {
					t.Errorf("got a key or %v, want ErrMasterKeyFormat", err)
				}
				return
			}
			if err != nil || !got.Value.Equal(master.Value) {
				t.Errorf("got another key or %v", err)
			}
		})
	}
	if _, err := keyring.NewMasterKey(strings.NewReader("too short")); err == nil {
		t.Error("a key was made of too few bytes")
	}
}
