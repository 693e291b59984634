// Package quota meters evaluations: how many elements each account may have evaluated, what it has been charged, and which
// requests were charged already.
//
// An evaluation is what an enumeration of phone numbers needs, so each element of one is debited to the account before
// it is decoded, as one unit of the account's bucket: GCRA, the generic cell rate algorithm of ITU-T I.371, in its form as
// a leaky bucket. A bucket holds Limits.Burst units and is refilled by Limits.RefillPerDay. docs/metering.md says what that
// means to a person, to an operator and to an attacker.
//
// All of an account stands in one slot of the store and changes in one script, by the store's clock alone, so that
// concurrent requests, retries and clocks of servers can not be raced past it. Account ids do not reach the store: they
// name their keys through HMAC-SHA256 under the keyring's account key.
//
//	kith:{a<32 hex digits>}:account       hash, described in account.lua: bucket, counts by epoch, credit, first seen, and
//	                                      what an operator set; kept for 400 days after the last charge
//	kith:{a<32 hex digits>}:r<32 hex>     hash, described in debit.lua: a request that was charged, for Limits.KeepKeys
//	kith:young                            hash, described in reserve.lua: the budget of young accounts
//
// A request that carries an Idempotency-Key is remembered, bound to the SHA-256 of what it asked: the same request again,
// after an answer was lost, is not charged, up to Limits.ReplayCap times; another request under the same key is refused.
// A request without a key is remembered for ten minutes under a random name, so that a call which this package's Redis
// client repeats by itself is charged once, and a refund is made once.
//
// What is exact: the units that one account is charged, on a store that loses no write which it has answered. A failover
// to a replica that has not yet received the last debits forgets them.
//
// Left out: HTTP (package server), the count of all evaluations under a key (package usage).
//
// A Ledger may be used by many goroutines.
package quota
