// Package compare measures Kith side by side with what could be picked instead: a server made of circl's own VOPRF, one whose
// group is filippo.io/edwards25519, and a plain lookup of hashed numbers, which is what is done where contact discovery is
// not private. All do the same work in one run, for requests of 1,024, 16 and 1 contacts, each server on one core.
//
// What is compared is processor time of the server's process for each contact, and of its Redis where it has one: it is what
// a deployment is sized by, and other work of the machine disturbs it little. In each round everything has its turn, in
// another order than before, so that what disturbs nevertheless meets all alike; ratios are of one round, and what is
// reported is their median and spread over the rounds.
//
// The opponents are given every advantage. They check no token, charge no quota, queue nothing, log nothing and have no
// metrics, all of which Kith does in its figures; two of them need no Redis. The lookup of hashed numbers does no cryptography at
// all: it is the floor, and its numbers can be read by whoever has the server, since all that there are can be hashed in
// minutes.
//
// Left out: the client's part, which bench/engine measures, and what a deployment does under load, which bench/load does.
package compare
