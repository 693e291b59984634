// Package keylog is the log of the public keys of all epochs: what a server writes, and what a device, an operator or a
// witness checks.
//
// A proof of an evaluation shows that one key was used for the batch, not that everybody is given the same key. Whoever
// could give each user a key of their own could tell their lookups apart. So each key is entered here before it is used,
// under a signed tree head that binds the whole log: a device pins the key of the log, remembers the last tree head, and
// refuses a log that does not extend it and a key that is not in it. Witnesses can cosign tree heads, so that devices
// which have nothing to remember yet are shown the same log as all others.
//
// [Append] writes an entry, [Verify] checks a log, [Cosigner] and [AddCosignature] are for witnesses.
//
// The formats are those of C2SP: tlog-checkpoint for the tree head, signed-note for its signatures, tlog-cosignature
// (Ed25519, cosignature/v1) for those of witnesses; the tree is that of RFC 6962, Section 2.1. Entries are Kith's own, a
// few lines of text each ([Entry]). docs/protocol.md has all of it byte by byte.
//
// Left out: inclusion and consistency proofs, since a log has one or two entries for each rotation of a key and is sent
// whole; cosignatures by ML-DSA-44; a clock: how old a cosignature may be is for the caller to say.
//
// Timing: all that is checked here is public. Signing is crypto/ed25519's, constant time in the seed.
//
// All functions and methods may be called concurrently.
package keylog
