// Package rotation moves a directory to a new key while it is in use, without one phone number: the unblinded element N
// of every record is multiplied by k'/k, which makes it what the new key would have made of the number.
//
// Every server runs a Rotator, and all of them share the work. What has been done stands in the keyring (states and
// times of epochs, changed by compare-and-set) and in the directory, and every step can be repeated; so any server goes
// on where another was killed.
//
// # Phases
//
//	prepare  the partitions of the staged epoch are made. From then on every registration goes to both epochs.
//	copy     every record of the active epoch is read, moved and written to the staged one with its version.
//	verify   the same again: each record of the active epoch must be in the staged one, no older, and open there. What is
//	         missing or older was lost on the way, and is copied now.
//	ready    the staged epoch is verified, and becomes active at once if it is to do so without being asked.
//	settle   the same once more, after the new epoch has become active: a server that was killed between its writes to the
//	         two epochs may have left a registration in the old one alone.
//	sweep    an epoch that is retired or aborted is removed, and once more some minutes later, since a failover may bring
//	         keys back.
//
// # Why no write is lost
//
// A copied record keeps its version, and the directory lets the later version win whatever the order in which writes
// come; so copying and registering may overlap. A worker raises the fence of the partition that it is about to read to
// the generation of a keyring in which the new epoch is written to. A server that does not know of the new epoch is
// refused there from then on, and what it wrote before is read. In settle the fences of both epochs are raised to the
// generation at which the new one became active.
//
// A worker writes with the generation of the keyring under which it claimed its item. What one writes that was paused for
// longer than its lease is therefore what another has written already, or older than it, or refused: by the fences after
// settle, and by the partitions being gone after an abort. Deletions are not forgotten before settle is over (package
// registry), so that none is undone by a late copy.
//
// # Queues
//
// An item is a range of the old epoch's buckets, within one partition. Each phase has a queue of them, in Redis:
//
//	kith:{rotation.e<id>.<phase>}         hash        totals, counts, and the owners of items being worked on
//	kith:{rotation.e<id>.<phase>}:leases  sorted set  items being worked on, by the time until which they are left alone
//
// Both are in one slot, changed by one script, by Redis's clock. A queue that was lost starts over. Queues go when the
// epoch is removed, or when nobody has touched them for thirty days.
//
// # Records that can not be read
//
// A record that is malformed, that does not unwrap, or whose label does not open can not be moved. It is counted, and the
// staged epoch does not become active while there are more of them than an operator has accepted to lose. Their items
// are looked at again every minute, in case they were mended.
//
// Settle counts them too, and does not end while there are more: what became unreadable after verify may have been written
// to the old epoch alone since, and once settle is over that epoch goes. Until they are mended or accepted the old epoch
// answers on, and no other rotation begins.
//
// # Proofs
//
// Beside each partition of the old epoch stays, for each of its buckets, a proof that the elements of its records were all
// multiplied by the one factor that takes the old public key to the new one, with the list of old and new tags. Audit
// checks them; what it can not see is in its comment. They go with the partition when the old epoch is retired.
//
// # A keyring that has lost changes
//
// A failover of the keyring's Redis can lose its last changes, while partitions, on other machines, have their
// generation in their fences: every write there is refused then. A server that knows the changes writes them back (package
// keyring); if that has not happened after ten seconds, a Rotator raises the keyring's generation above the fences.
//
// # What it leaves out
//
// Beginning and aborting a rotation, which are steps of package keyring, and HTTP.
//
// Timing: multiplication and proofs are constant time in keys, factor and elements (package voprf). A Rotator's methods
// may be called concurrently, but for Run.
package rotation
