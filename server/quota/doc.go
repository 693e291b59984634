// Package quota meters evaluations: what each account has been charged, and which requests were charged already.
//
// An evaluation is what an enumeration of phone numbers needs, so each element of one is debited to the account before
// it is decoded. A request that carries an Idempotency-Key is remembered, bound to the SHA-256 of what it asked: the
// same request again, after an answer was lost, is not charged; another request under the same key is refused.
//
// All of an account stands in one slot of the store and changes in one script, so that concurrent requests can not race
// past it. Account ids do not reach the store: they name their keys through HMAC-SHA256 under the keyring's account key.
//
//	kith:{a<32 hex digits>}:account       hash: first_seen (Unix ms), e<epoch> (elements charged in that epoch)
//	kith:{a<32 hex digits>}:i<32 hex>     32 bytes: the hash of a request that was charged, for a day
//
// Left out so far: limits. What is counted here is what they will be made of.
//
// A Ledger may be used by many goroutines.
package quota
