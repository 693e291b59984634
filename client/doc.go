// Package client is what a messenger app links: hand it the user's address book, get back which of its numbers are
// registered with a Kith server, with the names that never left the device.
//
// [New] checks the options, [Client.Sync] does everything else:
//
//	read      contacts -> E.164 numbers and their alternate forms, each once (package normalize)
//	evaluate  B = r * H1(number)  -> server ->  Z = k * B and a proof;  N = r^-1 * Z (package crypto/voprf)
//	look up   tag(N)              -> server ->  the sealed labels of the registered ones
//	open      label key(N) opens each label; what does not open is not shown
//
// The server is sent blinded elements, under the account's token because evaluations are metered, and tags, without any
// credential and on a connection of their own. Names and numbers are in no request. What tags tell the operator of the
// server depends on the [Mode] of the lookup, and docs/privacy.md says it.
//
// # State
//
// Evaluations cost quota, so the app keeps their results in a [StateStore], and the next Sync pays only for numbers
// that are new to it. Before a request is sent, its blinds and Idempotency-Key are saved; a Sync that was interrupted
// at any point, by a killed process too, is completed by the next one with the same bytes under the same key, and
// nothing is paid twice. The state holds the numbers of the address book and the secrets N that make tags of them. It
// belongs where the address book itself is kept: on the device, outside of backups that others can read. Delete it to
// forget it all, at the price of paying again.
//
// # Failures
//
// Network errors and answers 429, 500, 502, 503 and 504 are tried again, as long as Retry-After stays below
// Options.MaxWait; beyond that, Sync returns the [*ProblemError], whose RetryAfter tells the app when to call Sync
// again. An answer whose proof does not hold, or a public key that changed, ends the Sync before it is used. No error
// of this package contains a number, a name, a token, an element or a body; those of the app's own store, token source
// and address book are passed on as they are.
//
// # What is left out
//
// Lookup modes bucket and snapshot, the key log, and migration windows between epochs: they have their places, behind
// the lookup interface and in directory.go. Nothing here runs in the background: the app decides when to call Sync.
//
// # Timing
//
// Blinds and N are handled by crypto/voprf in constant time. Numbers and tags are compared and sorted into maps on the
// device that owns them, in variable time. How many elements and tags are sent tells the server the size of the address
// book and of its growth.
//
// # In a browser
//
// The package builds for GOOS=js. There the browser owns the connections, so that lookups may share one with the
// metered requests. Cookies are left out and redirects refused on every platform.
package client
