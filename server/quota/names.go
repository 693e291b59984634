package quota

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/kith-project/kith/crypto/secret"
)

// youngKey is the budget of young accounts in the store.
const youngKey = "kith:young"

// accountPrefix names an account in the store: all its keys share the slot of the braces.
func accountPrefix(key secret.Value, account string) string {
	return "kith:{a" + keyed(key, "account", account) + "}"
}

// accountName is the key of an account's hash.
func accountName(key secret.Value, account string) string {
	return accountPrefix(key, account) + ":account"
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

func epochText(epoch uint32) string { return strconv.FormatUint(uint64(epoch), 10) }
