// Package token verifies and makes the bearer tokens of Kith: JSON Web Tokens (RFC 7519) signed with EdDSA over Ed25519
// or ES256 (RFC 7518, RFC 8037). Every other algorithm is refused, "none" and the symmetric ones above all.
//
// A token names its account (sub), what it is for (scope, words separated by spaces), its audience and its expiry, and
// all four are required. What is wrong with a refused token is not told: the answer is the same for all. Tokens of more than
// 8 KiB are not looked at; names that are given twice, brackets deeper than 8 and base64 that is not canonical are
// refused, so that no two parsers read a token differently.
//
// Keys belong to an issuer and are fixed (PEM), or read from a file or an https URL and read again (Keys.Run), from a JSON
// Web Key Set (RFC 7517) or PEM. The claim iss decides whose keys are tried. The package keyfunc finds the key that a token
// names. Reading is done here and not by that package, because a text is read here to a bound of bytes and seconds and
// without following redirects, a key of an unknown type does not spoil a set, and a failed read is tried again soon.
//
// A signature is checked once while the issuer's keys stay as they were read; what else makes a token valid, each time.
//
// Left out: the withdrawal of single tokens, which are meant to be short-lived, and encrypted tokens.
//
// A Verifier, Keys and a Signer may be used by many goroutines. The time that a refusal takes depends on what is wrong with
// the token, which its sender knows.
package token
