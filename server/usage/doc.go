// Package usage counts the elements that were evaluated under each epoch's key, and warns before there are too many.
//
// Every evaluation lets its caller see k*B for an element B of its own choice: a static Diffie-Hellman oracle. By the
// attacks of Brown and Gallant (2004) and Cheon (2006), whoever has made d evaluations, each of an element that the one
// before returned, finds the key about the square root of d times as fast as without them: 2^40 evaluations take at most
// 20 bits from the 126 of the group. So a key has a ceiling, and from three quarters of it on a warning. A ceiling
// refuses nothing: what it asks for is a rotation.
//
// Registrations are not counted: what they evaluate are hashes of numbers, whose results stay in the server, so that they
// answer no oracle query.
//
// Each server counts in memory and adds to one hash in the store about every second:
//
//	kith:usage   hash: e<epoch> (elements evaluated, of all servers)
//
// A server that is killed loses what it has counted since it last added, about a second of its own evaluations. A store
// that is away costs nothing: the count is kept and added later. Where the answer of the store was lost the count may be
// added twice. So the total is right to within a few seconds of work, of which 2^40 take years. The hash is no part of the
// keyring's backup: a restored key counts from 0.
//
// Left out: limits of accounts (package quota), and rotating (package rotation).
//
// A Counter may be used by many goroutines.
package usage
