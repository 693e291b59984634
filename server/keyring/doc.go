// Package keyring keeps the epochs of a deployment: their public keys, their private and storage keys sealed under the
// master key, their states and layouts, in one Redis hash that every server follows.
//
// The hash changes only by compare-and-set on its generation, a counter that each change raises by one. A server hands
// the generation it knows to every write of the directory, whose fence refuses older ones, so that no server writes by a
// keyring that has changed under it. What a server knows is read again every second, and a keyring that could not be
// read for some seconds, or is gone from the store, is an error rather than an old answer.
//
// Keys in the hash kith:keyring:
//
//	generation   decimal
//	master       what tells the master key from another: 8 bytes of hex derived from it
//	account-key  60 bytes, sealed: the key under which account ids are hashed before they name anything in the store
//	epoch:<id>   JSON, see record
//
// Left out: where the master key comes from (cmd/kith), and what is stored under an epoch (server/directory).
//
// Timing: sealing is AES-256-GCM of the standard library. Concurrency: a Keyring may be used by many goroutines.
package keyring
