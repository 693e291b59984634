// Package token verifies and makes the bearer tokens of Kith: JSON Web Tokens (RFC 7519) signed with EdDSA over Ed25519
// or ES256 (RFC 7518, RFC 8037). Every other algorithm is refused, "none" and the symmetric ones above all.
//
// A token names its account (sub), what it is for (scope, words separated by spaces), its audience and its expiry, and
// all four are required. What is wrong with a refused token is not told: the answer is the same for all.
//
// Left out so far: key sets by URL and their refresh; keys are read from PEM once.
//
// A Verifier and a Signer may be used by many goroutines.
package token
