// Package lookup keeps what a server needs to answer lookups, for each epoch that devices may use: the short tags of all
// buckets in memory (package bucket), and the set that devices download (package snapshot).
//
// It follows the keyring: an epoch that becomes served gets a view and a builder, one that is no longer served loses
// them. When a bucket has more registrations than slots it raises the epoch's slots, for all servers, and answers then.
//
// A registration made by this server is in its next answer (Wrote); one made by another, within a second.
//
// Left out: the rules of padding and of building, which are of those packages, and HTTP.
//
// A Lookups may be used by many goroutines.
package lookup
