// Package sha512x8 is SHA-512 (FIPS 180-4) of eight messages at a time, one to each 64-bit lane of the vector registers of
// AVX-512. It exists because hashing to scalars and elements takes three blocks an element, which one by one would be a
// tenth of the time of an evaluation with its proof.
//
// A [State] is eight hash values, a [Block] the next block of each of eight messages, and [State.Compress] puts the one into the
// other. Who calls it pads the messages, and takes the hash value of a lane after its last block: what the lane computes
// from there on means nothing.
//
// Timing: no branch or address depends on what is hashed. States and blocks hold it, and the caller wipes them.
//
// What it leaves out: padding (Section 5.1.2), for a caller that hashes many messages with the same end can prepare that;
// and a fallback. Where [Available] is false, as it always is in a build for another processor or with the tag purego,
// nothing else may be called, and in such a build nothing else is there.
//
// Functions may be called concurrently as long as no two share a destination. None allocates.
package sha512x8
