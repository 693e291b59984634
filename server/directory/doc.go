// Package directory stores registrations in Redis and finds them by tag.
//
// # Stored form
//
// An epoch is divided into partitions by the top bits of the tag, 256 of them by default, and a partition into buckets
// by more top bits. All keys of a partition share the hash tag {e<epoch>.p<partition>}, so they live in one slot of a
// cluster and one script changes them together:
//
//	kith:{e7.p12}:b3105    hash     field: the tag without the whole bytes that the bucket gives; value: a Record
//	kith:{e7.p12}:meta     hash     fence, visible, hidden, deleted, changes
//	kith:{e7.p12}:changes  stream   id: <n>-0; c: format and version of the write, 7 bytes, and the tag, 16
//	kith:{e7.p12}:moves    hash     epoch; <bucket>: what a rotation keeps of having moved it to that epoch
//
// A record begins with 3 bits of format and 53 of version, big-endian. Then come 32 bytes of wrapped element, and 73 of compact
// label if it is visible, or 8 of time. In a listpack a visible registration in a directory with 16 to 23 bits of bucket takes 131
// bytes: 14 and 2 for the field, 112 and 3 for the record. Each of them counts, since memory is what a large directory costs most.
//
// The changes of a partition are numbered 1, 2, 3, ... without holes, and meta's field changes is the last number, so a
// reader of the stream sees what it has missed: entries that were trimmed, lost, or rolled back by a failover.
//
// A registration that is hidden or deleted stays as a tombstone, so that a late write of an older version loses to it.
//
// # Rules of writing
//
// The last writer wins, by version; at equal versions delete wins over hide over visible. Any order and any repetition of
// the same versioned writes therefore ends in the same directory. The rules are applied by one script, apply.lua.
//
// Each write carries the generation of the writer's keyring, and each partition keeps the highest it has seen, its fence.
// A writer with a lower one, who may not know of an epoch that others already write to, is refused with ErrStale.
//
// # Failures
//
// A partition exists from Prepare until Sweep. One whose meta key is missing has lost its data, and every operation on it
// is refused with ErrIncomplete: a lost shard must never look like an empty one, whose users would all be "not
// registered". Whatever Redis cannot answer is ErrUnavailable, and no operation returns a part of an answer as the whole.
// What was acknowledged survives as Redis's durability settings say; CheckServer reports them.
//
// No error of this package contains a tag, key, value or address; see unavailable.
//
// # What it leaves out
//
// The package knows no numbers, labels or private keys: tags, sealed labels and wrapped elements come from package crypto.
// It does not decide which epochs are written to (package keyring does), and does not read from replicas: give it a
// client that sends reads to masters. A *redis.Client and a *redis.ClusterClient will do; a *redis.Ring, which moves keys
// to other servers when one fails, will not.
//
// Nothing here is secret to the server, and nothing is constant time.
package directory
