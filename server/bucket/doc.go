// Package bucket answers lookups by prefix: whole buckets of short tags, all padded to one size.
//
// A device that looks up a contact in bucket mode sends the top bits of the contact's tag, gets the short tags of every
// registration whose tag begins with them, and compares on its own. The server learns the prefix and no more. What the
// answer must not show, this package hides: every bucket of an epoch has the same number of slots (Format), and slots
// without a registration hold fill that nobody without the epoch's keys can tell from the rest, by value, by order or by
// asking again.
//
//	format.go, fill.go, pad.go            the size of an answer, the fill, and both in order
//	table.go, view.go, feed.go, rescan.go a copy of an epoch's short tags in memory that follows Redis
//	lookup.go                             answers, from memory where it is known to be current, else from Redis
//
// Start with a View, run it, and answer requests by a Lookup on it.
//
// # What is promised
//
// An answer is never older than Config.MaxAge, 1 s, however it was made: who was hidden or deleted longer ago is not in it.
// Memory and Redis give the same bytes. What is not known is an error, never an empty bucket: those of package directory
// pass through.
//
// Comparing answers over time shows which value came and which went, and so that somebody joined a bucket. The changes
// feed of an epoch, which is public, says the same.
//
// # What it leaves out
//
// Raising an epoch's slots when a bucket is full is the caller's: the number stands in the keyring, for all servers alike
// (ErrFull, Config.OnFull, View.SetFormat). Labels are not kept in memory and always come from Redis.
//
// Short tags and fill are public once answered, and nothing here is constant time. The fill key is secret: whoever has it
// tells fill from registrations, and so learns how many users a bucket has.
package bucket
