// Package voprf implements the verifiable oblivious pseudorandom function of RFC 9497, mode 0x01, for the one
// ciphersuite that Kith uses, ristretto255-SHA512.
//
//	Client(input, pk)                                   Server(k, pk = k*G)
//	-----------------------------------------------------------------------
//	B = r * H1(input)
//	                            B  (32 bytes each)
//	                        -------------------------->
//	                                                    Z = k * B
//	                                                    proof: log_G(pk) = log_B(Z)
//	                       Z (32 bytes each), proof (64)
//	                        <--------------------------
//	verify the proof; N = r^-1 * Z = k * H1(input)
//
// [Blind], [PrivateKey.BlindEvaluate], [PublicKey.VerifyProof] and [DeriveKeyPair] are those of the RFC, byte for byte;
// any other implementation can be the other side. Kith stops short of the RFC's Finalize, which hashes the input in
// again: its last step is [Unblind], whose result N moves to another key by one multiplication without knowledge of
// the input. What that means for security is in docs/protocol.md.
//
// Elements travel packed: n elements are 32n bytes back to back, each in the canonical encoding of RFC 9496, Section
// 4.3.1. A batch is refused whole if one of its elements is not canonical or is the identity (RFC 9497, Section 2.1).
//
// The arithmetic is that of package ristretto: whole batches at a time, and those of several requests together
// ([PrivateKey.BlindEvaluateEach]).
//
// Left out: the modes OPRF and POPRF, the other suites, and Finalize.
//
// Timing: no branch, index or early return depends on a private key, a blind, a proof nonce or an unblinded element.
// Inputs that travel in the clear (elements, proofs, public keys) may be treated in variable time, and are where package
// ristretto says VarTime.
//
// All functions may be called concurrently.
package voprf
