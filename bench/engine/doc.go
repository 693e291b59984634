// Package engine compares the time of Kith's arithmetic with that of circl, its alternative in Go, on one core and in one run.
//
//	evaluate      1,024 elements: decode, multiply, encode
//	prove_1024    the answer of a server to 1,024 blinded elements, from their bytes to those of results and proof
//	prove_16      the same for 16
//	prove_1       the same for 1
//	client_1000   what a client does for 1,000 contacts: draw blinds and blind, then verify, unblind and finalize
//
// The opponent is circl as its users have it: package group for evaluate, the VerifiableServer and VerifiableClient of package
// oprf for the others, with decoding and encoding of what travels. Both do the same work, byte for byte: what either returns is
// compared with the other's before anything is timed, each verifies the other's proofs, and client_1000 goes on comparing.
//
// Both take turns, one call each, and who begins changes every time; so what else the machine does meets both. The result has the
// median of each, and the ratio of the medians. All is done on one core; garbage is collected on it too, whoever
// made it.
//
// Timing: nothing here is secret. Key and inputs are made for the comparison.
package engine
