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
// The server is sent blinded elements, under the account's token because evaluations are metered, and lookups, without any
// credential and on a connection of their own. Names and numbers are in no request.
//
// # Modes
//
// What a lookup tells the operator of the server depends on its [Mode]; docs/privacy.md has the same for users.
//
//	exact     sends tags of 16 bytes. The operator can find out the numbers behind them.
//	bucket    sends prefixes of tags, each of which fits thousands of numbers. They are sent once an epoch, filled up with
//	          others; later only those of new contacts are.
//	snapshot  sends nothing: it fetches a filter of all registrations, whole, and the changes to it.
//
// [ModeAuto] takes the most private one that fits Options.Budget, and never one below Options.MinPrivacy: what does not fit
// is [Result.Deferred] to a later Sync. [Result.Why] says why it was that mode.
//
// Who joins or leaves is learned in mode bucket from the same changes feed as in mode snapshot, which tells the server
// nothing either. Where a day of the feed is more than the budget, or more than asking again and DefaultBudget if there is
// no budget, the identical set of prefixes is asked again, decoys included. Without a budget that is done in every Sync; with one
// that it does not fit, in parts, and begun once a day.
//
// A hit is shown when its label was opened, which proves that it is no false positive. Labels come by whole buckets, hits
// among decoys, unless Options.Labels says otherwise. Each is fetched once, and all of them again, by the same prefixes,
// when they are 30 days old or the app calls [Client.RefreshLabels]. A hit whose label is not there or does not open is
// asked for again when the feed has an entry about it, or its bucket or its shard changed. Somebody who was confirmed and left
// without an entry that was read, and whose tag happens to be a false positive, is shown until the label is due again: one in
// 10^6 of them in mode bucket, and 15 in mode snapshot.
//
// Counts that a server could recognise a device by are padded to classes: tags and prefixes to 4, 5, 6, 7, 8, 10, 12, 14,
// 16, 20 and so on in quarter steps of powers of two, labels' buckets to 8, 16, 32 and on. Between evaluations and the first
// lookup is a random delay, and no TLS session is resumed from one connection to another. A relay that hides the address
// of the device goes into Options.LookupHTTP. What remains, timing and address without a relay, is said in docs/privacy.md.
//
// # Epochs
//
// An operator changes the key of a server by a new epoch, in which everything is evaluated and looked up anew. The state keeps
// what was evaluated and found for each epoch that the server still serves. While the old one drains, the directory names a
// window. Each device draws one moment of it, once, and until then works in the old epoch as if nothing was; a new device
// begins in the new one. After its moment a device evaluates the address book in the new epoch and looks it up there, as in
// a first Sync. As long as the quota does not allow all of that, Sync answers from the old epoch, which [Result.Moving] says,
// and the next one goes on. An epoch that has ended is left in the same Sync. Where a budget spreads the lookups in the new
// epoch over days, matches of the old one are shown until their numbers are looked up again.
//
// What a move tells the server is what a first Sync does: how many elements, by the account; and without one, in mode
// bucket, prefixes, filled up and shuffled anew. To whoever lacks one of the two keys, the prefixes of a number in two
// epochs have nothing to do with each other. An operator that has both keys, and can tell that both sets of prefixes came from
// one device, can intersect them, against which decoys do not help: of 10^10 possible numbers, 1,000 prefixes of 20 bits
// leave 9,500 for each contact, those of two epochs leave 10, and those of three hardly any but the contact's own. So no Sync
// looks up in two epochs, unless one ends during it, and then not over the same connection; the moment is random, and a
// device can be told by its address and its class of counts only. Mode snapshot shows no such set, except for the buckets of
// labels, to which the same applies.
//
// # Key log
//
// With a public key of its own for each user, a server could tell whose lookup is whose. The key of an epoch is remembered, and
// ErrKeyChanged returned if it changes. That it is the key which others are given is shown by the server's key log: with
// [Options].KeyLog each Sync verifies the log before it uses an epoch, against the checkpoint that it remembered, and uses no
// key that is not in it. What is left without a quorum of witnesses, [KeyLog] says.
//
// # State
//
// Evaluations cost quota, so the app keeps their results in a [StateStore], and the next Sync pays only for numbers
// that are new to it. Before a request is sent, its blinds and Idempotency-Key are saved; a Sync that was interrupted
// at any point, by a killed process too, is completed by the next one with the same bytes under the same key, and
// nothing is paid twice. Prefixes and their decoys are saved before they are sent too, so that no interruption makes the
// device draw others, which would tell the own ones apart. The state holds the numbers of the address book and the secrets N that make tags of them. It
// belongs where the address book itself is kept: on the device, outside of backups that others can read. Delete it to
// forget it all, at the price of paying again.
//
// # Failures
//
// Network errors and answers 429, 500, 502, 503 and 504 are tried again, as long as Retry-After stays below
// Options.MaxWait. Beyond that, Sync returns the [*ProblemError], whose RetryAfter tells the app when to call Sync
// again; but if only evaluations are refused until later, as when the quota of the account is used up, what was evaluated
// before is looked up all the same, and [Result.Waiting] says what is left.
//
// An answer whose proof does not hold, a public key that changed, or a key log that is not what it was ends the Sync before
// it is used. No error of this package contains a number, a name, a token, an element or a body; those of the app's own
// store, token source and address book are passed on as they are.
//
// # What is left out
//
// Nothing here runs in the background: the app decides when to call Sync. How old the cosignatures of a key log are is not
// looked at: a device that has seen no newer log can be shown one that is out of date, whose keys are still those of all.
//
// # Timing
//
// Blinds and N are handled by crypto/voprf in constant time. Numbers and tags are compared and sorted into maps on the
// device that owns them, in variable time. How many elements are sent tells the server the size of the address book and
// of its growth; how many prefixes or tags, its class.
//
// # In a browser
//
// The package builds for GOOS=js. There the browser owns the connections, so that lookups may share one with the
// metered requests. Cookies are left out and redirects refused on every platform.
package client
