// Package keyring keeps the epochs of a deployment: their public keys, their private and storage keys sealed under the
// master key, their states and layouts, in one Redis hash that every server follows.
//
// The hash changes only by compare-and-set on its generation, a counter that each change raises. A server hands the
// generation it knows to every write of the directory, whose fence refuses older ones, so that no server writes by a
// keyring that has changed under it. Every change is announced, what a server knows is read again every second in case it
// missed that, and a keyring that could not be read for some seconds, or is gone from the store, is an error rather than
// an old answer.
//
// A failover can lose the last changes. A server that knows them writes them back (Follow). If none does, and partitions
// have seen them, the keyring is Behind, until Heal has raised its generation above theirs.
//
// # Rotation
//
// Stage makes an epoch with a new key, which takes registrations but is not shown to devices. Once package rotation has
// copied and checked everything (MarkCopied, MarkVerified), Activate makes it the active epoch and the old one a draining
// one; once both were compared again (MarkSettled), Retire destroys the keys of the old one. Abort does that to an epoch
// that was never active. Epochs that are over stay in the keyring without keys, so that no id is used twice.
//
// The keys of all epochs are entered in the key log (package keylog), whose signing key is sealed in the keyring too:
// an epoch and its entry are made by one compare-and-set.
//
// What destroyed means: the sealed key is gone from the hash, and from a backup of the keyring made later. It is still in
// Redis's append-only file until that is rewritten, in older backups, and in older replicas; who has one of these and the
// master key of that time can still open it.
//
// # Stored form
//
// Keys in the hash kith:keyring:
//
//	generation      decimal
//	change          random text that is new with each change
//	master          what tells the master key from another: 8 bytes of hex derived from it
//	account-key     60 bytes, sealed: the key under which account ids are hashed before they name anything in the store
//	epoch:<id>      JSON, see record
//	next-epoch      decimal, after Restore or Heal: the lowest id that a new epoch may have
//	log-key         60 bytes, sealed: the seed of the key that signs the key log
//	log-origin      the name of the log
//	log:<n>         its entries, n from 0
//	log-checkpoint  a signed note over all of them
//
// Left out: where the master key comes from (cmd/kith), and what is stored under an epoch (server/directory).
//
// Timing: sealing is AES-256-GCM of the standard library. Concurrency: a Keyring may be used by many goroutines.
package keyring
