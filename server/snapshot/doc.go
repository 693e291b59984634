// Package snapshot publishes the visible tags of an epoch as filters that a device downloads whole, to look its contacts
// up by itself, and the changes since. The server learns which deployment the device belongs to, and nothing else.
//
// # What is published
//
// A set of shards, each a filter (package crypto/filter) of the tags of neighbouring partitions; about 262,144 tags each,
// if the epoch has enough partitions. A shard is named by the SHA-256 of its bytes, so it never changes under its name
// and any cache can carry it. One manifest lists the shards. It is replaced in one step, after all of them are stored,
// and is gone when it reaches its maximum age: a user who was hidden is in no set by then.
//
// A feed of changes in numbered segments, gathered from the change streams of all partitions every ten seconds, so that
// a device learns of registrations without asking about anybody. The manifest says where in the feed to begin: a
// position from before the first record was read, so that whatever the build did or did not see of a change, the
// segments say it again. Within a segment the entries are in the order of the tags, so it does not tell who came first.
// Where the directory's streams have a gap the feed starts anew, with another generation: positions of an older one are
// answered ErrTrimmed, and a new set is built at once. What a failover rolled back unnoticed is put right by the next
// set, since building reads every record.
//
// A Store with ReadTail also tells what no segment has yet. Devices learn of a registration at once, and whoever asks all
// the time learns when it was made to within a fraction of a second, rather than ten.
//
// # Stored form
//
//	kith:{e7.snapshot}:manifest  string  JSON of Manifest; expires at its maximum age
//	kith:{e7.snapshot}:changes   stream  id: <generation>-<n>; e (entries, 9 bytes each), t (time, ms)
//	kith:{e7.snapshot}:feed      hash    generation, head (n of the last segment), trimmed (n of the last that was
//	                                     removed), positions (8 bytes for each partition), day, bytes, before (see rate)
//	kith:{e7.snapshot}:build     hash    the build under way: build (its name), created, shard_bits, since, malformed,
//	                                     s<shard> (id, keys and bytes of a finished one)
//	kith:{e7.snapshot}:wanted    string  somebody asked for a build
//	kith:{e7.snapshot}:lease     string  who builds
//	kith:{e7.s<id>}              string  a shard; expires some hours after it left the manifest
//
// # Building
//
// Any number of servers run a Builder, and the one with the lease works. Whatever changes the first five keys is done by
// a script that checks the lease in the same slot, so a builder that was paused for longer than its lease lasts changes
// nothing. Shards need no such check: equal bytes under the name of their hash. A build that was interrupted goes on
// with the first shard that is not recorded, on any server.
//
// Memory: a builder holds one shard at a time, about 45 bytes a tag of it (12 MB at 262,144 tags); a set takes 2.4 bytes
// a user in Redis, and up to four sets are there at once with the default times. A set of 10 million users in 64 shards
// took 8.2 s (TestBuildTenMillion, Redis 7.0.15 on the same two cores of an AMD EPYC, 2026-11-24).
//
// # What it leaves out
//
// HTTP and its caching headers (package server), and whether the snapshot fits a device's budget (package client). A
// registration whose record is malformed is left out of the set and counted, rather than keeping everybody else's from
// being published.
//
// No error of this package contains a tag, key or address. Nothing here is secret to the server, and nothing is constant
// time.
package snapshot
