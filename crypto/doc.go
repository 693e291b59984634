// Package crypto derives what a directory stores and looks up from the unblinded element N = k * H1(x) of a number, and
// seals it.
//
//	PRK       = HKDF-Extract(salt = "kith directory v1", IKM = N)      SHA-256, RFC 5869
//	tag       = HKDF-Expand(PRK, "tag", 16)
//	label key = HKDF-Expand(PRK, "label", 32)
//
// The tag is the name of a registration in one epoch. Its label, a user id or nickname that is opaque to Kith, is sealed
// under the label key: it opens for whoever knows the number and had it evaluated, and for nobody else, the server's
// store included. N itself is stored wrapped under the epoch's storage key, so that the directory can be moved to
// another key without anyone telling the numbers again.
//
// docs/protocol.md has the same in prose, and testdata/kith-v1.json its vectors, from which a client in another language
// can be written. The oblivious evaluation that leads to N is package voprf.
//
// Left out: where any of this is stored (server/directory), and the keys' own storage (server/keyring).
//
// Timing: tags are public once made, everything else here is secret; the AES and SHA-256 of the standard library are
// constant time on the processors with instructions for them, and AES is not on those without.
//
// All functions may be called concurrently.
package crypto
